import DIGNet
import NIOCore
import Synchronization

/// One request and its response.
enum AvailabilityStream {
    /// Opens a stream, asks and waits for the answer.
    ///
    /// - Throws: `ConnectionError`; ``AvailabilityError`` for an answer that is none; `CancellationError`.
    static func ask(_ request: AvailabilityRequest, on connection: any Connection, timeout: Duration) async throws -> AvailabilityResponse {
        let made = Mutex<MessageStream?>(nil)
        let channel = try await connection.openStream(speaking: [AvailabilityExchange.protocolID]) { stream, _ in
            stream.eventLoop.makeCompletedFuture {
                let messages = try MessageStream(on: stream, limit: AvailabilityExchangeLimits.maximumMessageByteCount, timeout: timeout)
                made.withLock { $0 = messages }
            }
        }
        guard let messages = made.withLock({ $0 }) else {
            channel.close(promise: nil)
            throw ConnectionError(.closed, "the stream was gone before it was used")
        }
        // For writing too: a peer that does not read holds nobody up.
        let timer = messages.channel.eventLoop.scheduleTask(in: TimeAmount(timeout)) { messages.close() }
        defer { timer.cancel() }
        return try await withTaskCancellationHandler {
            defer { messages.close() }
            try Task.checkCancellation()
            messages.write(AvailabilityCodec.encode(request))
            messages.finish()
            return try AvailabilityCodec.decodeResponse(try await messages.read().get())
        } onCancel: {
            messages.close()
        }
    }
}
