import DIGNet
import NIOCore

/// Collects what the peer sends until it ends its side of the stream, then ends the other.
final class MessageReadHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let limit: Int
    private let timeout: Duration
    private var received = ByteBuffer()
    private var timer: Scheduled<Void>?
    /// Nil once called.
    private var completion: ((Result<ByteBuffer, any Error>) -> Void)?

    /// - Parameters:
    ///   - limit: Bytes that the peer may send. More reset the stream.
    ///   - timeout: For the whole message. Then the stream is reset.
    ///   - completion: Called once, on the event loop.
    init(limit: Int, timeout: Duration, completion: @escaping (Result<ByteBuffer, any Error>) -> Void) {
        self.limit = limit
        self.timeout = timeout
        self.completion = completion
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        self.timer = context.eventLoop.scheduleTask(in: TimeAmount(self.timeout)) { channel.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.complete(.failure(ConnectionError(.closed, "the stream ended before the message")))
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard self.completion != nil else { return }
        var bytes = self.unwrapInboundIn(data)
        guard self.received.readableBytes + bytes.readableBytes <= self.limit else {
            self.complete(.failure(ConnectionError(.protocolViolation, "a message longer than \(self.limit) bytes")))
            return context.close(promise: nil)
        }
        self.received.writeBuffer(&bytes)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            self.complete(.success(self.received))
            context.close(mode: .output, promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.complete(.failure(error))
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.complete(.failure(ConnectionError(.closed, "the stream ended before the message")))
        context.fireChannelInactive()
    }

    private func complete(_ result: Result<ByteBuffer, any Error>) {
        guard let completion = self.completion else { return }
        self.completion = nil
        self.timer?.cancel()
        completion(result)
    }
}
