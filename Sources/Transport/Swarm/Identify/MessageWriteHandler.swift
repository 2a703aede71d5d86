import NIOCore

/// Sends one message, ends this side of the stream and waits for the peer to end the other.
final class MessageWriteHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let message: ByteBuffer
    private let timeout: Duration
    private var timer: Scheduled<Void>?

    /// - Parameter timeout: When to reset the stream if the peer has not ended its side.
    init(message: ByteBuffer, timeout: Duration) {
        self.message = message
        self.timeout = timeout
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        self.timer = context.eventLoop.scheduleTask(in: TimeAmount(self.timeout)) { channel.close(promise: nil) }
        context.writeAndFlush(self.wrapOutboundOut(self.message), promise: nil)
        context.close(mode: .output, promise: nil)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.timer?.cancel()
    }

    /// The peer has nothing to say here.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
