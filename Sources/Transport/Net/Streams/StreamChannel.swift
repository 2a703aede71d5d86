package import NIOCore
import Synchronization

/// One stream of a multiplexed connection, as a NIO `Channel` on the connection's event loop. It carries `ByteBuffer`s.
///
/// ```
///   pipeline ── write ──▶ StreamWriteQueue ── taken in turn ──▶ multiplexer ──▶ connection
///            ◀── read ─── StreamReadQueue  ◀── as it arrives ── multiplexer ◀── connection
/// ```
///
/// - **Back-pressure outbound.** Bytes wait here until the multiplexer takes them. `isWritable` turns false above the high
///   water mark, true below the low one.
/// - **Back-pressure inbound.** Bytes wait here until `read()`; only what the pipeline has been given is credited to the
///   peer again, so the queue never holds more than the stream's receive window.
/// - **Halves.** `close(mode: .output)` flushes what was written and then says FIN. A FIN from the peer fires
///   `ChannelEvent.inputClosed` after the last byte. When both halves are done, the channel becomes inactive.
///   `close(mode: .all)` before that resets the stream, and what waits is lost: to end a stream in order, close the output and
///   read until `inputClosed`. `close(mode: .input)` drops what arrives from then on, without crediting it.
/// - **Reset by the peer, or connection lost.** What arrived before is delivered, whether asked for or not, then the error
///   `ConnectionError` `.closed` is fired and the channel becomes inactive.
///
/// Each promise handed to `write` or `close` is completed exactly once.
///
/// `@unchecked Sendable`: `flags` and `_pipeline` (set once, in `init`) may be used on any thread; everything else that changes
/// is touched on ``eventLoop`` only.
package final class StreamChannel: Channel, ChannelCore, @unchecked Sendable {
    private enum State {
        /// The initializer has not finished. Inbound bytes wait.
        case initializing
        case active
        case closed
    }

    private enum InputState {
        case open
        /// FIN arrived; bytes before it may still wait in the queue.
        case finished
        /// `inputClosed` was fired.
        case closed
    }

    private enum OutputState {
        case open
        /// `close(mode: .output)` was called; the FIN follows the bytes in the queue.
        case finishing(EventLoopPromise<Void>?)
        /// The multiplexer has taken the FIN.
        case closed
    }

    /// What other threads may ask.
    private struct Flags {
        var isActive = false
        var isWritable = true
    }

    /// Ours: buffers fired for one `read()`, as a socket's `maxMessagesPerRead`, so that whoever reads step by step gets steps.
    private static let defaultMaximumMessagesPerRead: UInt = 16

    /// The stream's number in its connection.
    package let id: UInt64
    package let eventLoop: any EventLoop
    package let allocator: ByteBufferAllocator
    package let localAddress: SocketAddress?
    package let remoteAddress: SocketAddress?
    package let parent: (any Channel)?

    private let closePromise: EventLoopPromise<Void>
    private let flags = Mutex(Flags())
    private var _pipeline: ChannelPipeline?
    /// Dropped when the stream is closed, which ends the reference cycle with the multiplexer.
    private var multiplexer: (any StreamChannelParent)?

    private var state = State.initializing
    private var input = InputState.open
    private var output = OutputState.open

    private var reads = StreamReadQueue()
    private var writes = StreamWriteQueue()

    private var autoRead = true
    private var maximumMessagesPerRead = StreamChannel.defaultMaximumMessagesPerRead
    private var waterMark: ChannelOptions.Types.WriteBufferWaterMark
    /// `read()` was called and nothing has been fired for it.
    private var readIsPending = false
    /// `channelRead` was fired in this batch and `channelReadComplete` was not.
    private var isInBatch = false
    /// How many more buffers the read being answered may fire.
    private var readAllowance: UInt = 0
    /// A frame further down the stack is firing reads; `read()` must not start again from the inside.
    private var isDelivering = false

    package init(
        id: UInt64, parent: any Channel, multiplexer: any StreamChannelParent,
        waterMark: ChannelOptions.Types.WriteBufferWaterMark
    ) {
        self.id = id
        self.eventLoop = parent.eventLoop
        self.allocator = parent.allocator
        self.localAddress = parent.localAddress
        self.remoteAddress = parent.remoteAddress
        self.parent = parent
        self.multiplexer = multiplexer
        self.waterMark = waterMark
        self.closePromise = parent.eventLoop.makePromise()
        self._pipeline = ChannelPipeline(channel: self)
    }

    // MARK: Channel

    package var pipeline: ChannelPipeline {
        guard let pipeline = self._pipeline else { preconditionFailure("the pipeline is made in init and never removed") }
        return pipeline
    }
    package var closeFuture: EventLoopFuture<Void> { self.closePromise.futureResult }
    package var isActive: Bool { self.flags.withLock { $0.isActive } }
    package var isWritable: Bool { self.flags.withLock { $0.isWritable } }
    package var _channelCore: any ChannelCore { self }

    // MARK: What the multiplexer calls

    /// Runs `initializer`, then makes the channel active. The future fails, and the stream is reset, if the initializer fails.
    package func initialize(
        _ initializer: @Sendable (any Channel) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<any Channel> {
        let promise = self.eventLoop.makePromise(of: (any Channel).self)
        initializer(self).hop(to: self.eventLoop).whenComplete { result in
            switch result {
            case .success:
                self.activate()
                if self.state == .closed {
                    promise.fail(ConnectionError(.closed, "the stream was closed while it was being set up"))
                } else {
                    promise.succeed(self)
                }
            case .failure(let error):
                self.closeNow(error: nil, promise: nil)
                promise.fail(error)
            }
        }
        return promise.futureResult
    }

    /// Bytes that arrived and that the pipeline has not been given.
    package var bufferedInboundByteCount: Int { self.reads.byteCount }
    /// Bytes written and not taken yet.
    package var bufferedOutboundByteCount: Int { self.writes.byteCount }
    /// Bytes that may be taken.
    package var flushedByteCount: Int { self.state == .active ? self.writes.flushedByteCount : 0 }
    /// All bytes are taken and the outbound half is to be finished.
    package var wantsToFinish: Bool {
        guard self.state == .active, case .finishing = self.output else { return false }
        return self.writes.isEmpty
    }

    /// Takes bytes from the flushed ones. Call ``outboundTaken()`` after they are written.
    package func takeOutbound(_ byteCount: Int, into pieces: inout [StreamWriteQueue.Piece]) {
        self.writes.take(byteCount, into: &pieces)
    }

    /// Lets the pipeline know what the last ``takeOutbound(_:into:)`` changed. Runs the pipeline's code.
    package func outboundTaken() {
        self.completeEmptyWrites()
        guard self.writes.byteCount < self.waterMark.low else { return }
        self.setWritable(true)
    }

    /// Takes the promise that goes with the FIN. Call ``outputFinished()`` after the FIN is written.
    package func takeFinish() -> EventLoopPromise<Void>? {
        guard case .finishing(let promise) = self.output else { return nil }
        self.output = .closed
        return promise
    }

    /// Lets the pipeline know that the FIN is written. Runs the pipeline's code.
    package func outputFinished() {
        guard self.state == .active else { return }
        self.pipeline.fireUserInboundEventTriggered(ChannelEvent.outputClosed)
        self.closeIfDone()
    }

    /// Bytes from the peer. They are fired by ``deliver()``.
    package func receive(_ bytes: ByteBuffer) {
        guard self.state != .closed, self.input == .open, bytes.readableBytes > 0 else { return }
        self.reads.append(bytes)
    }

    /// FIN from the peer. It is fired by ``completeBatch()``.
    package func receiveFinish() {
        guard self.state != .closed, self.input == .open else { return }
        self.input = .finished
    }

    /// Fires what has arrived, as far as the pipeline asked for it. Called after each read of the connection.
    package func deliver() {
        guard self.state == .active, !self.isDelivering, !self.reads.isEmpty else { return }
        if !self.isInBatch {
            guard self.readIsPending else { return }
            self.readIsPending = false
            self.isInBatch = true
            self.readAllowance = self.maximumMessagesPerRead
        }
        self.fireReads()
    }

    /// Ends the batch of reads: fires `channelReadComplete`, asks for more if `autoRead` is on, fires `inputClosed` when due.
    /// Called when the connection's own batch is complete.
    package func completeBatch() {
        guard self.state == .active, !self.isDelivering else { return }
        self.isDelivering = true
        if self.isInBatch { self.endBatch() }
        self.isDelivering = false
        self.deliverPending()
        self.reads.compact()
    }

    /// The peer reset the stream, or the connection is gone.
    package func receiveReset(_ error: ConnectionError) {
        if self.state == .active, self.input != .closed {
            // Everything that arrived in time belongs to the reader, even if it has not asked for it.
            self.isDelivering = true
            var fired = self.isInBatch
            self.isInBatch = false
            while self.state == .active, let bytes = self.reads.popFirst() {
                fired = true
                self.pipeline.fireChannelRead(bytes)
            }
            if fired, self.state == .active { self.pipeline.fireChannelReadComplete() }
            self.isDelivering = false
            if self.state == .active, self.input == .finished { self.fireInputClosed() }
        }
        self.closeNow(error: error, promise: nil)
    }

    // MARK: ChannelCore

    package func localAddress0() throws -> SocketAddress {
        guard let address = self.localAddress else { throw ChannelError.operationUnsupported }
        return address
    }

    package func remoteAddress0() throws -> SocketAddress {
        guard let address = self.remoteAddress else { throw ChannelError.operationUnsupported }
        return address
    }

    package func register0(promise: EventLoopPromise<Void>?) { promise?.succeed() }
    package func bind0(to: SocketAddress, promise: EventLoopPromise<Void>?) { promise?.fail(ChannelError.operationUnsupported) }
    package func connect0(to: SocketAddress, promise: EventLoopPromise<Void>?) { promise?.fail(ChannelError.operationUnsupported) }
    package func channelRead0(_ data: NIOAny) {}
    package func errorCaught0(error: any Error) {}
    package func triggerUserOutboundEvent0(_ event: Any, promise: EventLoopPromise<Void>?) {
        promise?.fail(ChannelError.operationUnsupported)
    }

    package func write0(_ data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard self.state != .closed else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        guard case .open = self.output else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        self.writes.append(self.unwrapData(data, as: ByteBuffer.self), promise: promise)
        if self.writes.byteCount > self.waterMark.high { self.setWritable(false) }
    }

    package func flush0() {
        guard self.state != .closed else { return }
        self.writes.flush()
        guard self.state == .active else { return }
        self.completeEmptyWrites()
        if self.writes.flushedByteCount > 0 { self.multiplexer?.streamBecameReady(self) }
    }

    package func read0() {
        guard self.state != .closed else { return }
        self.readIsPending = true
        // Inside a batch, completeBatch() looks at the flag.
        if !self.isInBatch { self.deliverPending() }
    }

    package func close0(error: any Error, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard self.state != .closed else {
            promise?.fail(ChannelError.alreadyClosed)
            return
        }
        switch mode {
        case .output:
            guard case .open = self.output else {
                promise?.fail(ChannelError.outputClosed)
                return
            }
            self.output = .finishing(promise)
            self.writes.flush()
            guard self.state == .active else { return }
            self.completeEmptyWrites()
            self.multiplexer?.streamBecameReady(self)
        case .input:
            guard self.input != .closed else {
                promise?.fail(ChannelError.inputClosed)
                return
            }
            if case .closed = self.output {
                self.closeNow(error: nil, promise: promise)
                return
            }
            self.reads.removeAll()
            promise?.succeed()
            if self.state == .active { self.fireInputClosed() } else { self.input = .closed }
        case .all:
            self.closeNow(error: nil, promise: promise)
        }
    }

    // MARK: Options

    package func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) -> EventLoopFuture<Void> {
        if self.eventLoop.inEventLoop {
            return self.eventLoop.makeCompletedFuture { try self.setOption0(option, value: value) }
        }
        return self.eventLoop.submit { try self.setOption0(option, value: value) }
    }

    package func getOption<Option: ChannelOption>(_ option: Option) -> EventLoopFuture<Option.Value> {
        if self.eventLoop.inEventLoop {
            return self.eventLoop.makeCompletedFuture { try self.getOption0(option) }
        }
        return self.eventLoop.submit { try self.getOption0(option) }
    }

    package var syncOptions: (any NIOSynchronousChannelOptions)? { SynchronousOptions(channel: self) }

    private struct SynchronousOptions: NIOSynchronousChannelOptions {
        let channel: StreamChannel
        func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) throws {
            try self.channel.setOption0(option, value: value)
        }
        func getOption<Option: ChannelOption>(_ option: Option) throws -> Option.Value {
            try self.channel.getOption0(option)
        }
    }

    private func setOption0<Option: ChannelOption>(_ option: Option, value: Option.Value) throws {
        self.eventLoop.preconditionInEventLoop()
        guard self.state != .closed else { throw ChannelError.ioOnClosedChannel }
        switch (option, value) {
        case (is ChannelOptions.Types.AutoReadOption, let value as Bool):
            let wasOn = self.autoRead
            self.autoRead = value
            if value, !wasOn, self.state == .active { self.pipeline.read() }
        case (is ChannelOptions.Types.WriteBufferWaterMarkOption, let value as ChannelOptions.Types.WriteBufferWaterMark):
            self.waterMark = value
            if self.writes.byteCount > value.high {
                self.setWritable(false)
            } else if self.writes.byteCount < value.low {
                self.setWritable(true)
            }
        case (is ChannelOptions.Types.MaxMessagesPerReadOption, let value as UInt):
            self.maximumMessagesPerRead = max(1, value)
        case (is ChannelOptions.Types.AllowRemoteHalfClosureOption, let value as Bool) where value:
            break  // always on
        default:
            throw ChannelError.operationUnsupported
        }
    }

    private func getOption0<Option: ChannelOption>(_ option: Option) throws -> Option.Value {
        self.eventLoop.preconditionInEventLoop()
        let value: Any
        switch option {
        case is ChannelOptions.Types.AutoReadOption: value = self.autoRead
        case is ChannelOptions.Types.WriteBufferWaterMarkOption: value = self.waterMark
        case is ChannelOptions.Types.MaxMessagesPerReadOption: value = self.maximumMessagesPerRead
        case is ChannelOptions.Types.AllowRemoteHalfClosureOption: value = true
        case is ChannelOptions.Types.BufferedWritableBytesOption: value = self.writes.byteCount
        default: throw ChannelError.operationUnsupported
        }
        guard let value = value as? Option.Value else { throw ChannelError.operationUnsupported }
        return value
    }

    // MARK: Inside

    private func activate() {
        guard self.state == .initializing else { return }
        self.state = .active
        self.flags.withLock { $0.isActive = true }
        self.pipeline.fireChannelRegistered()
        self.pipeline.fireChannelActive()
        guard self.state == .active else { return }
        self.completeEmptyWrites()
        // Tells the peer about a stream of ours; sends what the initializer wrote.
        self.multiplexer?.streamBecameReady(self)
        if self.autoRead, self.state == .active { self.pipeline.read() }
        self.deliverPending()
    }

    /// Answers reads outside a batch of the connection: each with up to ``maximumMessagesPerRead`` buffers.
    private func deliverPending() {
        guard !self.isDelivering else { return }
        self.isDelivering = true
        while self.state == .active, self.readIsPending, !self.reads.isEmpty {
            self.readIsPending = false
            self.isInBatch = true
            self.readAllowance = self.maximumMessagesPerRead
            self.isDelivering = false
            self.fireReads()
            self.isDelivering = true
            self.endBatch()
        }
        if self.state == .active, self.input == .finished, self.reads.isEmpty { self.fireInputClosed() }
        self.isDelivering = false
    }

    private func fireReads() {
        self.isDelivering = true
        var byteCount = 0
        while self.state == .active, self.readAllowance > 0, let bytes = self.reads.popFirst() {
            self.readAllowance -= 1
            byteCount += bytes.readableBytes
            self.pipeline.fireChannelRead(bytes)
        }
        self.isDelivering = false
        if byteCount > 0 { self.multiplexer?.stream(self, consumed: byteCount) }
    }

    private func endBatch() {
        self.isInBatch = false
        self.readAllowance = 0
        guard self.state == .active else { return }
        self.pipeline.fireChannelReadComplete()
        if self.autoRead, self.state == .active { self.pipeline.read() }
    }

    private func fireInputClosed() {
        self.input = .closed
        self.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        self.closeIfDone()
    }

    private func completeEmptyWrites() {
        while let piece = self.writes.popEmptyFlushed() { piece.promise?.succeed() }
    }

    private func setWritable(_ isWritable: Bool) {
        let changed = self.flags.withLock { flags in
            defer { flags.isWritable = isWritable }
            return flags.isWritable != isWritable
        }
        guard changed, self.state == .active else { return }
        self.pipeline.fireChannelWritabilityChanged()
    }

    private func closeIfDone() {
        guard self.state == .active, self.input == .closed, case .closed = self.output else { return }
        self.closeNow(error: nil, promise: nil)
    }

    private func closeNow(error: ConnectionError?, promise: EventLoopPromise<Void>?) {
        guard self.state != .closed else {
            promise?.fail(ChannelError.alreadyClosed)
            return
        }
        let wasActive = self.state == .active
        self.state = .closed
        self.flags.withLock { flags in
            flags.isActive = false
            flags.isWritable = false
        }
        let multiplexer = self.multiplexer
        self.multiplexer = nil
        var finishPromise: EventLoopPromise<Void>?
        if case .finishing(let pending) = self.output { finishPromise = pending }
        self.input = .closed
        self.output = .closed
        self.reads.removeAll()
        let unsent = self.writes.removeAll()

        // All state is final; only now may other code run.
        multiplexer?.streamDidClose(self)
        let writeError: any Error = error ?? ChannelError.ioOnClosedChannel
        for piece in unsent { piece.promise?.fail(writeError) }
        finishPromise?.fail(writeError)
        promise?.succeed()
        if wasActive {
            if let error { self.pipeline.fireErrorCaught(error) }
            self.pipeline.fireChannelInactive()
            self.pipeline.fireChannelUnregistered()
        }
        // Later, so that handlers up the stack still find their pipeline.
        self.eventLoop.execute {
            self.removeHandlers(pipeline: self.pipeline)
            self.closePromise.succeed()
        }
    }
}
