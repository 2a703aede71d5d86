import DIGNet
import NIOCore

/// Sends one ping, compares the answer and ends the stream.
final class PingInitiator: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let payload: [UInt8]
    private let promise: EventLoopPromise<Duration>
    private var received = ByteBuffer()
    private var sentAt = NIODeadline.now()

    init(payload: [UInt8], promise: EventLoopPromise<Duration>) {
        self.payload = payload
        self.promise = promise
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.sentAt = .now()
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(bytes: self.payload)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        self.received.writeBuffer(&bytes)
        guard self.received.readableBytes >= self.payload.count else { return }
        if self.received.readableBytesView.elementsEqual(self.payload) {
            self.promise.succeed(Duration(.now() - self.sentAt))
            context.close(mode: .output, promise: nil)
        } else {
            self.promise.fail(ConnectionError(.protocolViolation, "the peer answered a ping with other bytes"))
            context.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        // Too late if there was an answer.
        self.promise.fail(ConnectionError(.closed, "the stream closed before the ping was answered"))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.promise.fail(error)
        context.close(promise: nil)
    }
}
