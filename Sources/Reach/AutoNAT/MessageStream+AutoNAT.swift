import DIGNet
import NIOCore

extension MessageStream {
    /// The next message. Cancelling resets the stream.
    func next() async throws -> ByteBuffer {
        try await withTaskCancellationHandler {
            try await self.read().get()
        } onCancel: {
            self.close()
        }
    }

    /// Ours: what a peer may still say after the last message to it, such as the request that is refused before it is read.
    private static let maximumIgnoredMessages = 4

    /// Sends `message` and ends the stream when the peer has, or after the stream's time for a read.
    ///
    /// Not earlier: a reset could overtake the message.
    func writeLast(_ message: ByteBuffer) {
        self.write(message).flatMap {
            self.finish()
            return self.readToEnd(ignoring: Self.maximumIgnoredMessages)
        }.whenComplete { _ in self.close() }
    }

    private func readToEnd(ignoring count: Int) -> EventLoopFuture<Void> {
        self.read().flatMap { _ in
            count > 0 ? self.readToEnd(ignoring: count - 1) : self.channel.eventLoop.makeSucceededVoidFuture()
        }
    }
}
