import NIOCore

/// Keeps what reaches the end of the pipeline.
final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    var bytes: [UInt8] = []
    var errors: [any Error] = []
    var isInputClosed = false
    var byteCountAtInputClosed: Int?

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.bytes += Array(self.unwrapInboundIn(data).readableBytesView)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { self.byteCountAtInputClosed = self.bytes.count }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { self.errors.append(error) }
}
