import DIGNet
import NIOCore

extension Connection {
    /// Opens a stream for messages. Cancelling closes it.
    func openMessages(speaking id: ProtocolID, limit: Int, timeout: Duration) async throws -> MessageStream {
        let promise = self.eventLoop.makePromise(of: MessageStream.self)
        do {
            _ = try await self.openStream(speaking: [id]) { stream, _ in
                stream.eventLoop.makeCompletedFuture { promise.succeed(try MessageStream(on: stream, limit: limit, timeout: timeout)) }
            }
        } catch {
            promise.fail(error)
            throw error
        }
        return try await promise.futureResult.get()
    }
}

extension MessageStream {
    /// The next message. Cancelling resets the stream.
    func next() async throws -> ByteBuffer {
        try await withTaskCancellationHandler {
            try await self.read().get()
        } onCancel: {
            self.close()
        }
    }

    /// Sends `message` and ends the stream when the peer has, or after the stream's time for a read.
    func writeLast(_ message: ByteBuffer) {
        self.write(message).flatMap {
            self.finish()
            return self.read()
        }.whenComplete { _ in self.close() }
    }
}
