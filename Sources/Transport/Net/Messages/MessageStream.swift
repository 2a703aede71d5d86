import DIGMultiformats
package import NIOCore

/// A stream on which messages are exchanged, each behind its length as an unsigned varint: what most libp2p protocols speak.
///
/// Add it in the initializer of a stream, on the stream's event loop; everything else may be called from anywhere:
///
///     let messages = try MessageStream(on: stream, limit: 4096, timeout: .seconds(10))
///     messages.write(request)
///     let answer = try await messages.read().get()
///
/// What the peer sends while nobody reads stays in the stream's window: no more than one message of `limit` bytes is kept here.
package struct MessageStream: Sendable {
    package let channel: any Channel
    private let handler: NIOLoopBound<MessageStreamHandler>

    /// - Parameters:
    ///   - limit: Bytes in one message at most. A longer one fails the read and resets the stream.
    ///   - timeout: For each read. Then the read fails with `.timedOut` and the stream is reset.
    package init(on channel: any Channel, limit: Int, timeout: Duration) throws {
        let handler = MessageStreamHandler(eventLoop: channel.eventLoop, limit: limit, timeout: timeout)
        try channel.pipeline.syncOperations.addHandler(handler)
        self.channel = channel
        self.handler = NIOLoopBound(handler, eventLoop: channel.eventLoop)
    }

    /// The next message, without its length. One read at a time.
    ///
    /// Fails with ``ConnectionError``: `.timedOut`, `.closed` if the peer ends the stream before a whole message, `.protocolViolation`
    /// for a message over the limit or a length that is no varint.
    package func read() -> EventLoopFuture<ByteBuffer> {
        self.onLoop { $0.read() }
    }

    /// Completes when the message has been handed to the connection.
    @discardableResult
    package func write(_ message: ByteBuffer) -> EventLoopFuture<Void> {
        self.onLoop { handler in
            var framed = ByteBuffer()
            framed.writeUnsignedVarint(UInt64(message.readableBytes))
            framed.writeImmutableBuffer(message)
            return handler.write(framed)
        }
    }

    /// Ends the messages: `next` adds the handlers that take over, then they get the bytes that came after the last message read.
    package func handOver(to next: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>) -> EventLoopFuture<Void> {
        let channel = self.channel
        return self.onLoop { $0.handOver { next(channel) } }
    }

    /// Says that no message follows. The peer's may.
    package func finish() {
        self.channel.close(mode: .output, promise: nil)
    }

    /// Resets the stream.
    package func close() {
        self.channel.close(promise: nil)
    }

    private func onLoop<Value: Sendable>(_ body: @escaping @Sendable (MessageStreamHandler) -> EventLoopFuture<Value>) -> EventLoopFuture<Value> {
        let eventLoop = self.channel.eventLoop
        if eventLoop.inEventLoop { return body(self.handler.value) }
        return eventLoop.flatSubmit { [handler] in body(handler.value) }
    }
}
