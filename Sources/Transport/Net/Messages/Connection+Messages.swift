import DIGIdentity
import NIOCore
import Synchronization

extension Connection {
    /// Opens a stream for messages, which the caller ends.
    ///
    /// - Parameters:
    ///   - limit: Bytes in one message at most, see ``MessageStream``.
    ///   - timeout: For each read.
    ///   - pending: Is told about the stream, so that cancelling closes it also after this has returned.
    /// - Throws: ``ConnectionError``, as ``openStream(speaking:initializer:)``; `CancellationError`.
    package func openMessages(
        speaking id: ProtocolID, limit: Int, timeout: Duration, pending: PendingChannel? = nil
    ) async throws -> MessageStream {
        let (messages, _) = try await self.openMessages(speaking: [id], limit: limit, timeout: timeout, pending: pending)
        return messages
    }

    /// The same with the first of several protocols that the peer knows.
    package func openMessages(
        speaking ids: [ProtocolID], limit: Int, timeout: Duration, pending: PendingChannel? = nil
    ) async throws -> (messages: MessageStream, protocolID: ProtocolID) {
        let made = Mutex<(MessageStream, ProtocolID)?>(nil)
        let channel = try await self.openStream(speaking: ids) { stream, id in
            stream.eventLoop.makeCompletedFuture {
                try pending?.made(stream)
                let messages = try MessageStream(on: stream, limit: limit, timeout: timeout)
                made.withLock { $0 = (messages, id) }
            }
        }
        guard let opened = made.withLock({ $0 }) else {
            channel.close(promise: nil)
            throw ConnectionError(.closed, "the stream was gone before it was used")
        }
        return opened
    }

    /// Opens a stream for messages, converses over it, and resets what is left of it.
    ///
    /// Cancelling resets the stream.
    ///
    /// - Parameters:
    ///   - limit: Bytes in one message at most, see ``MessageStream``.
    ///   - timeout: For each read.
    ///   - total: For everything after the opening, writing too: a peer that does not read holds nobody up. Nil: as long as `timeout`.
    /// - Throws: ``ConnectionError``, as ``openStream(speaking:initializer:)``; what `conversation` throws; `CancellationError`.
    package func withMessages<Value>(
        speaking id: ProtocolID, limit: Int, timeout: Duration, total: Duration? = nil,
        _ conversation: (MessageStream) async throws -> Value
    ) async throws -> Value {
        let messages = try await self.openMessages(speaking: id, limit: limit, timeout: timeout)
        let timer = self.eventLoop.scheduleTask(in: TimeAmount(total ?? timeout)) { messages.close() }
        defer {
            timer.cancel()
            messages.close()
        }
        return try await withTaskCancellationHandler {
            try Task.checkCancellation()
            return try await conversation(messages)
        } onCancel: {
            messages.close()
        }
    }
}
