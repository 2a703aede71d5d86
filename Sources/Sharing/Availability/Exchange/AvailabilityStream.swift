import DIGNet
import NIOCore

/// One request and its response.
enum AvailabilityStream {
    /// Opens a stream, asks and waits for the answer.
    ///
    /// - Throws: `ConnectionError`; ``AvailabilityError`` for an answer that is none; `CancellationError`.
    static func ask(_ request: AvailabilityRequest, on connection: any Connection, timeout: Duration) async throws -> AvailabilityResponse {
        try await connection.withMessages(
            speaking: AvailabilityExchange.protocolID, limit: AvailabilityExchangeLimits.maximumMessageByteCount, timeout: timeout
        ) { messages in
            messages.write(AvailabilityCodec.encode(request))
            messages.finish()
            return try AvailabilityCodec.decodeResponse(try await messages.read().get())
        }
    }
}
