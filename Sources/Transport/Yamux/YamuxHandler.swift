import DIGNet
import NIOCore

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Runs a ``YamuxStateMachine`` on a channel: the last handler of the connection's pipeline, the parent of its streams.
///
/// Outbound, streams with something to send queue in ``ready`` and take turns, a frame each, while the channel is writable; a batch
/// is flushed once. Control frames collect in one buffer and go first. Inbound, a body's slices go to its stream as they
/// arrive; streams touched by a read of the connection deliver at its end, and complete when the connection's batch is complete.
final class YamuxHandler: ChannelDuplexHandler, StreamChannelParent {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case open
        /// ``close()`` was called: the go-away follows the bytes the peer's windows allow.
        case draining
        /// The go-away is written, or the channel is gone.
        case closed
    }

    private struct Entry {
        var channel: StreamChannel
        /// Is in ``ready``.
        var isReady = false
        /// Is in ``touched``.
        var isTouched = false
    }

    private struct WaitingOpen {
        var initializer: @Sendable (any Channel) -> EventLoopFuture<Void>
        var promise: EventLoopPromise<any Channel>
    }

    /// Where the body of the frame being read goes.
    private enum BodyTarget {
        case dropped
        case stream(UInt32, finishes: Bool)
    }

    /// Ours: after so many bytes the batch is flushed even if the channel says that it is writable (a handler below may hold
    /// bytes back until the flush).
    private static let maximumBatchByteCount = 512 * 1024
    /// Ours: control frames that may wait for a channel that is not writable.
    private static let maximumControlByteCount = 64 * 1024
    /// The largest body that will be asked for.
    private static let maximumFrameBodyByteCount = 16 * 1024 * 1024

    private let configuration: YamuxConfiguration
    private let maximumBodyByteCount: Int
    private let eventLoop: any EventLoop
    private let inboundStreamInitializer: @Sendable (any Channel) -> EventLoopFuture<Void>

    private var context: ChannelHandlerContext?
    private var phase = Phase.open
    private var machine: YamuxStateMachine
    private var entries: [UInt32: Entry] = [:]

    // Inbound
    private var reader = YamuxFrameReader()
    private var bodyTarget = BodyTarget.dropped
    private var touched: [UInt32] = []
    /// Buffers that arrived while one was being read.
    private var unread = CircularBuffer<ByteBuffer>()
    private var isParsing = false
    /// Between the connection's `channelRead` and `channelReadComplete`: what is to be sent waits.
    private var isInBatch = false
    private var hasSeenBatch = false

    // Outbound
    private var ready = CircularBuffer<UInt32>()
    private var control = ByteBuffer()
    private var pieces: [StreamWriteQueue.Piece] = []
    private var waiting = CircularBuffer<WaitingOpen>()
    private var isPumping = false
    private var pumpsAgain = false
    private var isOpeningWaiting = false

    private var timer: Scheduled<Void>?
    private var closeTimer: Scheduled<Void>?

    init(
        role: ConnectionRole, configuration: YamuxConfiguration, eventLoop: any EventLoop,
        inboundStreamInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) {
        self.configuration = configuration
        self.maximumBodyByteCount = min(max(1, configuration.maximumFrameBodyByteCount), Self.maximumFrameBodyByteCount)
        self.eventLoop = eventLoop
        self.inboundStreamInitializer = inboundStreamInitializer
        self.machine = YamuxStateMachine(role: role, configuration: configuration, now: eventLoop.now)
    }

    /// How many stream channels live.
    var streamCount: Int { self.entries.count }
    /// Bytes received on all streams and not yet read.
    var bufferedInboundByteCount: Int { self.entries.values.reduce(0) { $0 + $1.channel.bufferedInboundByteCount } }

    // MARK: StreamMultiplexer

    func openStream(
        initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<any Channel> {
        let promise = self.eventLoop.makePromise(of: (any Channel).self)
        self.open(WaitingOpen(initializer: initializer, promise: promise))
        return promise.futureResult
    }

    func close() {
        guard self.phase == .open else { return }
        self.phase = .draining
        self.failWaiting()
        self.scheduleClose()
        self.pump()
    }

    private func open(_ request: WaitingOpen) {
        guard self.phase == .open, let context = self.context else {
            request.promise.fail(ConnectionError(.closed, "the connection is closed"))
            return
        }
        switch self.machine.openStream(now: self.eventLoop.now) {
        case .opened(let id):
            let channel = self.makeStream(id, on: context.channel)
            channel.initialize(request.initializer).cascade(to: request.promise)
        case .backlogFull:
            guard self.waiting.count < self.configuration.maximumWaitingStreams else {
                request.promise.fail(
                    ConnectionError(.streamLimitExceeded, "too many streams wait for the peer to acknowledge others"))
                return
            }
            self.waiting.append(request)
        case .goneAway:
            request.promise.fail(ConnectionError(.closed, "the peer accepts no more streams"))
        case .exhausted:
            request.promise.fail(ConnectionError(.closed, "no stream number is left on the connection"))
            self.close()
        }
    }

    private func openWaiting() {
        guard !self.isOpeningWaiting else { return }
        self.isOpeningWaiting = true
        defer { self.isOpeningWaiting = false }
        while self.phase == .open,
            self.machine.hasGoneAway
                || self.machine.unacknowledgedStreamCount < self.configuration.maximumUnacknowledgedStreams,
            let request = self.waiting.popFirst()
        {
            self.open(request)
        }
    }

    private func failWaiting() {
        while let request = self.waiting.popFirst() {
            request.promise.fail(ConnectionError(.closed, "the connection is closed"))
        }
    }

    private func makeStream(_ id: UInt32, on parent: any Channel) -> StreamChannel {
        let channel = StreamChannel(
            id: UInt64(id), parent: parent, multiplexer: self, waterMark: self.configuration.streamWaterMark)
        self.entries[id] = Entry(channel: channel)
        // Somebody waits now: see `busyKeepAliveInterval`.
        if self.entries.count == 1 { self.scheduleTimer() }
        return channel
    }

    // MARK: StreamChannelParent

    func streamBecameReady(_ stream: StreamChannel) {
        self.enqueue(Self.streamID(of: stream))
        self.pump()
    }

    func stream(_ stream: StreamChannel, consumed byteCount: Int) {
        guard let update = self.machine.read(Self.streamID(of: stream), byteCount: byteCount, now: self.eventLoop.now)
        else { return }
        self.control.writeYamuxHeader(update)
        self.pump()
    }

    func streamDidClose(_ stream: StreamChannel) {
        let id = Self.streamID(of: stream)
        self.entries[id] = nil
        if let reset = self.machine.reset(id) { self.control.writeYamuxHeader(reset) }
        self.openWaiting()
        self.pump()
    }

    /// The numbers come from the state machine, so they fit.
    private static func streamID(of stream: StreamChannel) -> UInt32 { UInt32(truncatingIfNeeded: stream.id) }

    private func enqueue(_ id: UInt32) {
        guard self.entries[id]?.isReady == false else { return }
        self.entries[id]?.isReady = true
        self.ready.append(id)
    }

    // MARK: Handler

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if let options = context.channel.syncOptions {
            // A channel without the option keeps what it has.
            try? options.setOption(ChannelOptions.writeBufferWaterMark, value: self.configuration.connectionWaterMark)
        }
        self.scheduleTimer()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.connectionLost(ConnectionError(.closed, "the connection's multiplexer was removed"))
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.connectionLost(ConnectionError(.closed, "the connection is closed"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // What is below has lost bytes or cannot prove them: nothing after them means anything.
        self.connectionLost(ConnectionError(.closed, "the connection failed", cause: error))
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            self.machine.noteActivity(now: self.eventLoop.now)
            self.pump()
        }
        context.fireChannelWritabilityChanged()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard self.phase != .closed else { return }
        self.unread.append(self.unwrapInboundIn(data))
        guard !self.isParsing else { return }  // whoever is reading goes on with it
        self.isParsing = true
        self.isInBatch = true
        let now = self.eventLoop.now
        self.machine.noteActivity(now: now)
        while self.phase != .closed, var buffer = self.unread.popFirst() {
            self.read(&buffer, now: now)
        }
        self.unread.removeAll()
        self.isParsing = false
        self.forEachTouched { $0.deliver() }
        if !self.hasSeenBatch {
            // Bytes handed over by whoever was here before may come without a channelReadComplete.
            self.hasSeenBatch = true
            let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
            self.eventLoop.execute { bound.value.completeBatch() }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.completeBatch()
        context.fireChannelReadComplete()
    }

    private func completeBatch() {
        guard !self.isParsing else { return }
        self.forEachTouched { $0.completeBatch() }
        for id in self.touched { self.entries[id]?.isTouched = false }
        self.touched.removeAll(keepingCapacity: true)
        self.isInBatch = false
        guard self.phase != .closed else { return }
        if let ping = self.machine.measureRoundTrip(now: self.eventLoop.now) {
            self.control.writeYamuxHeader(ping)
            self.scheduleTimer()
        }
        self.openWaiting()
        self.pump()
    }

    private func forEachTouched(_ body: (StreamChannel) -> Void) {
        // Indices: the streams' code may touch others, or close this handler.
        var index = 0
        while index < self.touched.count {
            if let channel = self.entries[self.touched[index]]?.channel { body(channel) }
            index += 1
        }
    }

    private func touch(_ id: UInt32) {
        guard self.entries[id]?.isTouched == false else { return }
        self.entries[id]?.isTouched = true
        self.touched.append(id)
    }

    // MARK: Inbound

    private func read(_ buffer: inout ByteBuffer, now: NIODeadline) {
        do throws(YamuxViolation) {
            while self.phase != .closed, let element = try self.reader.next(from: &buffer) {
                switch element {
                case .header(let header): self.received(header, now: now)
                case .body(let body, let isLast): self.received(body, isLast: isLast)
                }
            }
        } catch {
            self.violated(error)
        }
    }

    private func received(_ header: YamuxHeader, now: NIODeadline) {
        self.bodyTarget = .dropped
        switch self.machine.received(header, now: now) {
        case .none:
            break
        case .stream(let event):
            if event.isNew, let context = self.context {
                // The promise of the channel is nobody's: the initializer reports to whoever made it.
                _ = self.makeStream(event.streamID, on: context.channel).initialize(self.inboundStreamInitializer)
            }
            if event.isCredited, let channel = self.entries[event.streamID]?.channel, channel.flushedByteCount > 0 {
                self.enqueue(event.streamID)
            }
            if header.bodyByteCount > 0 {
                self.bodyTarget = .stream(event.streamID, finishes: event.isFinished)
            } else if event.isFinished {
                self.finished(event.streamID)
            }
        case .resetByPeer(let id):
            self.entries[id]?.channel.receiveReset(ConnectionError(.closed, "the peer reset the stream"))
        case .resetStream(let id, let header):
            self.control.writeYamuxHeader(header)
            self.entries[id]?.channel.receiveReset(
                ConnectionError(.protocolViolation, "the peer sent on a stream after it had finished"))
        case .reply(let header):
            self.control.writeYamuxHeader(header)
        case .goneAway(let code):
            if code != .normal {
                self.connectionLost(ConnectionError(.closed, "the peer ended the connection with code \(code.rawValue)"))
                self.context?.close(promise: nil)
            } else {
                self.openWaiting()
            }
        case .violation(let violation):
            self.violated(violation)
        }
        if self.control.readableBytes > Self.maximumControlByteCount { self.violated(.controlBacklog) }
    }

    private func received(_ body: ByteBuffer, isLast: Bool) {
        guard case .stream(let id, let finishes) = self.bodyTarget else { return }
        self.entries[id]?.channel.receive(body)
        self.touch(id)
        if isLast, finishes { self.finished(id) }
    }

    private func finished(_ id: UInt32) {
        self.entries[id]?.channel.receiveFinish()
        self.touch(id)
    }

    // MARK: Outbound

    /// Sends what may be sent.
    private func pump() {
        guard self.phase != .closed, !self.isInBatch, let context = self.context else { return }
        guard !self.isPumping else {
            self.pumpsAgain = true
            return
        }
        self.isPumping = true
        repeat {
            self.pumpsAgain = false
            self.sendBatch(context)
        } while self.pumpsAgain && self.phase != .closed
        self.isPumping = false
        self.closeIfDone()
    }

    private func sendBatch(_ context: ChannelHandlerContext) {
        var batchByteCount = self.sendControl(context)
        while self.phase != .closed, context.channel.isWritable, let id = self.ready.popFirst() {
            batchByteCount += self.sendFrame(of: id, context)
            if batchByteCount >= Self.maximumBatchByteCount {
                batchByteCount = 0
                context.flush()
            }
        }
        // Streams that closed meanwhile have left their resets.
        if self.phase != .closed { batchByteCount += self.sendControl(context) }
        if batchByteCount > 0 { context.flush() }
    }

    private func sendControl(_ context: ChannelHandlerContext) -> Int {
        let byteCount = self.control.readableBytes
        guard byteCount > 0, context.channel.isWritable else { return 0 }
        let frames = self.control
        self.control = ByteBuffer()
        context.write(self.wrapOutboundOut(frames), promise: nil)
        return byteCount
    }

    /// Sends one frame of the stream, or its FIN, and queues it again if it has more.
    private func sendFrame(of id: UInt32, _ context: ChannelHandlerContext) -> Int {
        guard let channel = self.entries[id]?.channel else { return 0 }
        self.entries[id]?.isReady = false
        var written = 0
        let byteCount = min(channel.flushedByteCount, self.machine.sendWindow(id), self.maximumBodyByteCount)
        if byteCount > 0, let header = self.machine.sendData(id, byteCount: byteCount) {
            // All pieces leave the stream before any other code runs: a frame must not stay half written.
            var pieces = self.pieces
            self.pieces = []
            channel.takeOutbound(byteCount, into: &pieces)
            self.write(header, promise: nil, context)
            for piece in pieces { context.write(self.wrapOutboundOut(piece.bytes), promise: piece.promise) }
            pieces.removeAll(keepingCapacity: true)
            self.pieces = pieces
            written += YamuxHeader.byteCount + byteCount
            channel.outboundTaken()
        } else if let header = self.machine.announce(id) {
            self.write(header, promise: nil, context)
            written += YamuxHeader.byteCount
        }
        if channel.wantsToFinish, let header = self.machine.finish(id) {
            self.write(header, promise: channel.takeFinish(), context)
            written += YamuxHeader.byteCount
            channel.outputFinished()
        } else if channel.flushedByteCount > 0, self.machine.sendWindow(id) > 0 {
            self.enqueue(id)
        }
        return written
    }

    private func write(_ header: YamuxHeader, promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) {
        var buffer = context.channel.allocator.buffer(capacity: YamuxHeader.byteCount)
        buffer.writeYamuxHeader(header)
        context.write(self.wrapOutboundOut(buffer), promise: promise)
    }

    // MARK: Time

    private func scheduleTimer() {
        self.timer?.cancel()
        self.timer = nil
        guard self.phase != .closed, let deadline = self.machine.deadline else { return }
        let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
        self.timer = self.eventLoop.scheduleTask(deadline: deadline) { bound.value.timerFired() }
    }

    private func timerFired() {
        self.timer = nil
        guard self.phase != .closed, let context = self.context else { return }
        switch self.machine.deadlineReached(now: self.eventLoop.now) {
        case .none:
            break
        case .send(let ping):
            self.control.writeYamuxHeader(ping)
            self.pump()
        case .timedOut:
            let error = ConnectionError(.timedOut, "the peer gave no sign of life for \(self.configuration.keepAliveTimeout)")
            self.connectionLost(ConnectionError(.closed, "the connection is closed", cause: error))
            self.abandon(context.channel)
            context.fireErrorCaught(error)
            context.close(promise: nil)
            return
        }
        self.scheduleTimer()
    }

    // MARK: The end

    /// Lets a channel go at once when it is closed, because its other end is gone. The system would go on for minutes to deliver what nobody
    /// takes, and meanwhile no connection could be made between the same two endpoints, such as by a punch.
    private func abandon(_ channel: any Channel) {
        guard let socket = channel as? any SocketOptionProvider else { return }
        // Where the system has no such option, it takes longer.
        socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenFailure { _ in }
    }

    private func violated(_ violation: YamuxViolation) {
        guard self.phase != .closed, let context = self.context else { return }
        let error = ConnectionError(.protocolViolation, "the peer broke the Yamux protocol: \(violation)")
        self.connectionLost(
            ConnectionError(.closed, "the connection is closed", cause: error), saying: .protocolError)
        context.fireErrorCaught(error)
    }

    /// Ends a drained or abandoned connection.
    private func closeIfDone() {
        switch self.phase {
        case .open:
            // The peer takes no streams and none is left: nothing more can come of the connection.
            guard self.machine.hasGoneAway, self.entries.isEmpty else { return }
        case .draining:
            guard self.ready.isEmpty, self.control.readableBytes == 0 else { return }
        case .closed:
            return
        }
        self.connectionLost(ConnectionError(.closed, "the connection is closed"), saying: .normal)
    }

    /// Writes what is left and a go-away, and closes the channel once that has left.
    private func sayGoAway(_ code: YamuxGoAwayCode) {
        guard let context = self.context else { return }
        var last = self.control
        self.control = ByteBuffer()
        last.writeYamuxHeader(self.machine.goAway(code))
        let channel = context.channel
        let written = self.eventLoop.makePromise(of: Void.self)
        written.futureResult.whenComplete { _ in channel.close(promise: nil) }
        context.writeAndFlush(self.wrapOutboundOut(last), promise: written)
        self.scheduleClose()
    }

    /// Closes the channel even if the peer takes nothing any more.
    private func scheduleClose() {
        guard self.closeTimer == nil, let context = self.context else { return }
        let channel = context.channel
        self.closeTimer = self.eventLoop.scheduleTask(in: TimeAmount(self.configuration.closeTimeout)) {
            channel.close(promise: nil)
        }
        channel.closeFuture.assumeIsolated().whenComplete { _ in
            self.closeTimer?.cancel()
            self.closeTimer = nil
        }
    }

    /// Ends all streams. Nothing is read from here on, and nothing written after the go-away.
    private func connectionLost(_ error: ConnectionError, saying code: YamuxGoAwayCode? = nil) {
        guard self.phase != .closed else { return }
        self.phase = .closed
        if let code { self.sayGoAway(code) }
        self.timer?.cancel()
        self.timer = nil
        self.ready.removeAll()
        self.unread.removeAll()
        self.control = ByteBuffer()
        self.failWaiting()
        // In the order they were opened; a stream's code may close others.
        for id in self.entries.keys.sorted() { self.entries[id]?.channel.receiveReset(error) }
        self.entries.removeAll()
    }
}
