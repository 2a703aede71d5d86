import DIGNet
import NIOCore
import Synchronization

/// One request and its response.
enum PeerExchangeStream {
    /// Opens a stream, asks and waits for the answer.
    ///
    /// - Throws: `ConnectionError`; ``PeerExchangeError`` with `.unexpectedAnswer`; `CancellationError`.
    static func ask(_ request: PeerExchangeRequest, on connection: any Connection, timeout: Duration) async throws -> PeerExchangeResponse {
        let made = Mutex<MessageStream?>(nil)
        let channel = try await connection.openStream(speaking: [PeerExchange.protocolID]) { stream, _ in
            stream.eventLoop.makeCompletedFuture {
                let messages = try MessageStream(on: stream, limit: PeerExchangeLimits.maximumMessageByteCount, timeout: timeout)
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
            messages.write(PeerExchangeCodec.encode(request))
            messages.finish()
            let bytes = try await messages.read().get()
            do throws(PeerExchangeDecodingError) { return try PeerExchangeCodec.decodeResponse(bytes) } catch {
                throw PeerExchangeError(.unexpectedAnswer, "an answer that can't be read", cause: error)
            }
        } onCancel: {
            messages.close()
        }
    }
}
