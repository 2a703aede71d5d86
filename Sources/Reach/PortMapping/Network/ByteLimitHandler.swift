import NIOCore

/// Ends a connection that has brought more bytes than allowed, before anybody parses them.
final class ByteLimitHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let limit: Int
    private var count = 0

    init(limit: Int) {
        self.limit = limit
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.count += self.unwrapInboundIn(data).readableBytes
        guard self.count <= self.limit else {
            context.fireErrorCaught(PortMappingError(.malformedAnswer, "the gateway's answer is longer than \(self.limit) bytes"))
            context.close(promise: nil)
            return
        }
        context.fireChannelRead(data)
    }
}
