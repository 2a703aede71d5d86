import DIGNet
import NIOCore

/// Waits whether the peer proposes a protocol, passes what it has read to the next handler, and removes itself.
///
/// The header of multistream-select alone says nothing: some listeners send it unasked, and some dialers their proposal only when they have got
/// the other end's. Both ends send it once, so it is answered here, and kept back when the negotiation sends it.
final class RoleDetectionHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// `/multistream/1.0.0` and a newline behind their length.
    static let headerByteCount = 20
    private static let header: [UInt8] = [19] + Array("/multistream/1.0.0\n".utf8)

    /// How long to wait; nil: for as long as ``limitSilence(to:)`` says.
    private var silence: Duration?
    private var context: ChannelHandlerContext?
    /// Nil once completed.
    private var promise: EventLoopPromise<ConnectionRole>?
    private var received = ByteBuffer()
    private var timer: Scheduled<Void>?
    private var hasSentHeader = false
    /// Bytes of the header that the negotiation has still to write, to be kept back.
    private var surplus = 0
    /// What was received is not passed on yet.
    private var isDeciding = false

    /// - Parameter promise: Succeeds on the event loop; its callbacks add the next handler in that same turn.
    init(silence: Duration?, promise: EventLoopPromise<ConnectionRole>) {
        self.silence = silence
        self.promise = promise
    }

    /// From now on.
    func limitSilence(to silence: Duration) {
        self.silence = silence
        self.timer?.cancel()
        self.timer = nil
        guard let context, context.channel.isActive else { return }
        self.start(context)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { self.start(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        self.start(context)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard self.promise != nil else { return context.fireChannelRead(data) }
        var bytes = self.unwrapInboundIn(data)
        self.received.writeBuffer(&bytes)
        if self.received.readableBytes > Self.headerByteCount {
            self.decide(.listener, context)
        } else if !self.hasSentHeader, self.received.readableBytesView.elementsEqual(Self.header) {
            self.hasSentHeader = true
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(bytes: Self.header)), promise: nil)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard self.surplus > 0 else { return context.write(data, promise: promise) }
        var bytes = self.unwrapOutboundIn(data)
        let count = min(self.surplus, bytes.readableBytes)
        bytes.moveReaderIndex(forwardBy: count)
        self.surplus -= count
        context.write(self.wrapOutboundOut(bytes), promise: promise)
    }

    func flush(context: ChannelHandlerContext) {
        context.flush()
        // Not in the write: its flush would get lost with this handler.
        guard self.promise == nil, self.surplus == 0, !self.isDeciding else { return }
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.fail()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.fail()
        self.context = nil
    }

    private func start(_ context: ChannelHandlerContext) {
        guard self.timer == nil, self.promise != nil, let silence else { return }
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(silence)) { self.decide(.dialer, context) }
    }

    private func decide(_ role: ConnectionRole, _ context: ChannelHandlerContext) {
        guard let promise = self.promise else { return }
        self.promise = nil
        self.timer?.cancel()
        if self.hasSentHeader { self.surplus = Self.headerByteCount }
        self.isDeciding = true
        promise.succeed(role)
        if self.received.readableBytes > 0 {
            context.fireChannelRead(self.wrapInboundOut(self.received))
            context.fireChannelReadComplete()
            self.received = ByteBuffer()
        }
        self.isDeciding = false
        if self.surplus == 0 { context.pipeline.syncOperations.removeHandler(context: context, promise: nil) }
    }

    private func fail() {
        self.timer?.cancel()
        self.promise?.fail(ConnectionError(.closed, "the channel closed before the peer said anything"))
        self.promise = nil
    }
}
