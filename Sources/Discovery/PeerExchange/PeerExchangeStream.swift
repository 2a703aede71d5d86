import DIGNet
import NIOCore

/// One request and its response.
enum PeerExchangeStream {
    /// Opens a stream, asks and waits for the answer.
    ///
    /// - Throws: `ConnectionError`; ``PeerExchangeError`` with `.unexpectedAnswer`; `CancellationError`.
    static func ask(_ request: PeerExchangeRequest, on connection: any Connection, timeout: Duration) async throws -> PeerExchangeResponse {
        try await connection.withMessages(speaking: PeerExchange.protocolID, limit: PeerExchangeLimits.maximumMessageByteCount, timeout: timeout) { messages in
            messages.write(PeerExchangeCodec.encode(request))
            messages.finish()
            let bytes = try await messages.read().get()
            do throws(PeerExchangeDecodingError) { return try PeerExchangeCodec.decodeResponse(bytes) } catch {
                throw PeerExchangeError(.unexpectedAnswer, "an answer that can't be read", cause: error)
            }
        }
    }
}
