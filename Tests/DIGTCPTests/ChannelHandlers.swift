import NIOCore

/// Sends back what arrives.
final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.writeAndFlush(data, promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Collects a number of bytes.
final class CollectHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let byteCount: Int
    private let promise: EventLoopPromise<ByteBuffer>
    private var received = ByteBuffer()

    init(byteCount: Int, promise: EventLoopPromise<ByteBuffer>) {
        self.byteCount = byteCount
        self.promise = promise
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        self.received.writeBuffer(&bytes)
        if self.received.readableBytes >= self.byteCount { self.promise.succeed(self.received) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.promise.fail(ChannelError.ioOnClosedChannel) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
