import DIGNet
import NIOCore

/// Waits whether the peer proposes a protocol, passes what it has read to the next handler, and removes itself.
///
/// The header of multistream-select alone says nothing: some listeners send it unasked. A dialer sends its proposal with it.
final class RoleDetectionHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// `/multistream/1.0.0` and a newline behind their length.
    static let headerByteCount = 20

    private let silence: Duration
    /// Nil once completed.
    private var promise: EventLoopPromise<ConnectionRole>?
    private var received = ByteBuffer()
    private var timer: Scheduled<Void>?

    /// - Parameter promise: Succeeds on the event loop; its callbacks add the next handler in that same turn.
    init(silence: Duration, promise: EventLoopPromise<ConnectionRole>) {
        self.silence = silence
        self.promise = promise
    }

    func handlerAdded(context: ChannelHandlerContext) {
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
        if self.received.readableBytes > Self.headerByteCount { self.decide(.listener, context) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.fail()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.fail() }

    private func start(_ context: ChannelHandlerContext) {
        guard self.timer == nil, self.promise != nil else { return }
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(self.silence)) { self.decide(.dialer, context) }
    }

    private func decide(_ role: ConnectionRole, _ context: ChannelHandlerContext) {
        guard let promise = self.promise else { return }
        self.promise = nil
        self.timer?.cancel()
        promise.succeed(role)
        if self.received.readableBytes > 0 {
            context.fireChannelRead(self.wrapInboundOut(self.received))
            context.fireChannelReadComplete()
            self.received = ByteBuffer()
        }
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    private func fail() {
        self.timer?.cancel()
        self.promise?.fail(ConnectionError(.closed, "the channel closed before the peer said anything"))
        self.promise = nil
    }
}
