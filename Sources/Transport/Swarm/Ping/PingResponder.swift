import NIOCore

/// Sends back what it gets, 32 bytes at a time (libp2p ping specification). Reads only while the peer takes the answers.
final class PingResponder: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    private var received = ByteBuffer()
    private var isReadHeld = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        self.received.writeBuffer(&bytes)
        let whole = self.received.readableBytes - self.received.readableBytes % Ping.payloadByteCount
        guard whole > 0, let echo = self.received.readSlice(length: whole) else { return }
        self.received.discardReadBytes()
        context.writeAndFlush(self.wrapOutboundOut(echo), promise: nil)
    }

    func read(context: ChannelHandlerContext) {
        if context.channel.isWritable { context.read() } else { self.isReadHeld = true }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if self.isReadHeld, context.channel.isWritable {
            self.isReadHeld = false
            context.read()
        }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(mode: .output, promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
