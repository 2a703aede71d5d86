import DIGNet
import NIOCore
import Synchronization

/// One end of a circuit at the relay: gives what its stream brings to the other end, no faster than that can send it and the rate allows.
///
/// ```
///   stream A ── read ──▶ handler A ── batch ──▶ handler B ── write ──▶ stream B
///                 ▲                                │
///                 └──────── acknowledged ◀─────────┘  once B is writable
/// ```
///
/// Reads on demand: a new one is asked for while fewer bytes than the window are on their way to the other stream. A batch changes the
/// event loop only if the two connections live on different ones.
///
/// `@unchecked Sendable`: ``meter``, ``eventLoop`` and ``partner`` (set once, before either end is used) may be used on any thread;
/// everything else is touched on ``eventLoop`` only.
final class SpliceHandler: ChannelDuplexHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let eventLoop: any EventLoop
    let meter: FlowMeter
    private let window: Int
    private let byteLimit: UInt64?
    /// Called once when ``byteLimit`` is passed.
    private let onByteLimit: @Sendable () -> Void
    /// The cycle is cut by ``handlerRemoved(context:)``.
    private(set) var partner: SpliceHandler?

    private var context: ChannelHandlerContext?
    private var isOver = false
    /// `read()` was called and nothing came.
    private var isReading = false
    private var batch: [ByteBuffer] = []
    private var batchByteCount = 0
    /// Given to the partner and not acknowledged.
    private var unacknowledged = 0
    /// The stream has brought its last byte.
    private var isInputClosed = false
    /// Everything is sent and the end said.
    private var isOutputClosed = false

    /// What the partner gave before this handler was in its pipeline.
    private var early: [ByteBuffer] = []
    private var isEarlyEnd = false
    /// Written here, not acknowledged yet because the stream is not writable.
    private var owed = 0

    init(eventLoop: any EventLoop, meter: FlowMeter, window: Int, byteLimit: UInt64?, onByteLimit: @escaping @Sendable () -> Void) {
        self.eventLoop = eventLoop
        self.meter = meter
        self.window = max(1, window)
        self.byteLimit = byteLimit
        self.onByteLimit = onByteLimit
    }

    /// Makes two handlers the ends of one circuit.
    static func join(_ a: SpliceHandler, _ b: SpliceHandler) {
        a.partner = b
        b.partner = a
    }

    /// Resets the stream. From any thread.
    func abort() {
        self.run { handler in
            handler.isOver = true
            if let context = handler.context {
                context.close(promise: nil)
            } else {
                // Not in a pipeline, or not any more: nobody else cuts the cycle.
                handler.partner = nil
            }
        }
    }

    /// The balance was filled up. From any thread.
    func resume() {
        self.run { $0.readIfAllowed() }
    }

    private func run(_ body: @escaping @Sendable (SpliceHandler) -> Void) {
        if self.eventLoop.inEventLoop { body(self) } else { self.eventLoop.execute { body(self) } }
    }

    // MARK: Pipeline

    func handlerAdded(context: ChannelHandlerContext) {
        // Aborted before it began, or the stream is closed already.
        guard !self.isOver, context.channel.isActive else {
            context.close(promise: nil)
            self.partner?.abort()
            return
        }
        self.context = context
        do {
            try context.channel.syncOptions?.setOption(.autoRead, value: false)
            // So that one read does not overdraw the balance by much.
            if self.meter.isLimited { try context.channel.syncOptions?.setOption(.maxMessagesPerRead, value: 1) }
        } catch {
            // A closed channel; its end is reported below.
        }
        let early = self.early
        self.early = []
        if !early.isEmpty { self.send(early) }
        if self.isEarlyEnd { self.finish() }
        self.readIfAllowed()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        self.partner = nil
        self.batch = []
        self.early = []
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        self.isReading = false
        self.batchByteCount += bytes.readableBytes
        self.batch.append(bytes)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.isReading = false
        self.passOn()
        self.readIfAllowed()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            self.passOn()
            self.isInputClosed = true
            self.partner?.run { $0.finish() }
        case ChannelEvent.outputClosed:
            self.isOutputClosed = true
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.acknowledge() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The reset itself: what follows is channelInactive.
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.passOn()
        // A stream that ended in order has said so; the other may still be sending what it got.
        let isOrderly = self.isInputClosed && self.isOutputClosed && !self.isOver
        self.isOver = true
        if !isOrderly { self.partner?.abort() }
        context.fireChannelInactive()
    }

    // MARK: From this stream to the other

    private func readIfAllowed() {
        guard let context = self.context, !self.isOver, !self.isInputClosed, !self.isReading else { return }
        guard self.unacknowledged < self.window else { return }
        if self.meter.isLimited, self.meter.balance.load(ordering: .relaxed) <= 0 {
            self.meter.isWaiting.store(true, ordering: .sequentiallyConsistent)
            // Filled up in between: nobody else would wake this handler.
            guard self.meter.balance.load(ordering: .sequentiallyConsistent) > 0 else { return }
            self.meter.isWaiting.store(false, ordering: .relaxed)
        }
        self.isReading = true
        context.read()
    }

    private func passOn() {
        guard !self.batch.isEmpty else { return }
        let (batch, byteCount) = (self.batch, self.batchByteCount)
        self.batch = []
        self.batchByteCount = 0
        guard !self.isOver, let partner = self.partner else { return }
        let carried = self.meter.carried.wrappingAdd(UInt64(byteCount), ordering: .relaxed).newValue
        if let byteLimit = self.byteLimit, carried > byteLimit {
            self.isOver = true
            return self.onByteLimit()
        }
        if self.meter.isLimited { self.meter.balance.wrappingSubtract(byteCount, ordering: .relaxed) }
        self.unacknowledged += byteCount
        partner.run { $0.send(batch) }
    }

    private func acknowledged(_ byteCount: Int) {
        self.unacknowledged -= byteCount
        self.readIfAllowed()
    }

    // MARK: From the other stream to this one

    private func send(_ batch: [ByteBuffer]) {
        guard !self.isOver else { return }
        guard let context = self.context else {
            // Its handler is added in a moment; until then nothing is acknowledged, so that this is no more than a window.
            self.early += batch
            return
        }
        for bytes in batch {
            self.owed += bytes.readableBytes
            context.write(self.wrapOutboundOut(bytes), promise: nil)
        }
        context.flush()
        if context.channel.isWritable { self.acknowledge() }
    }

    private func acknowledge() {
        guard self.owed > 0 else { return }
        let owed = self.owed
        self.owed = 0
        self.partner?.run { $0.acknowledged(owed) }
    }

    private func finish() {
        guard !self.isOver else { return }
        guard let context = self.context else {
            self.isEarlyEnd = true
            return
        }
        context.close(mode: .output, promise: nil)
    }
}
