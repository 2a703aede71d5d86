import DIGIdentity
import DIGNet
import NIOCore

/// The client's side of a hop stream.
enum HopStream {
    /// - Parameter pending: Is told about the stream, so that cancelling closes it.
    /// - Throws: ``CircuitRelayError`` with `.relayUnreachable`; `CancellationError`.
    static func open(on connection: any Connection, timeout: Duration, pending: PendingChannel? = nil) async throws -> MessageStream {
        let opened = connection.eventLoop.makePromise(of: MessageStream.self)
        do {
            _ = try await connection.openStream(speaking: [CircuitRelay.hopProtocolID]) { stream, _ in
                stream.eventLoop.makeCompletedFuture {
                    try pending?.made(stream)
                    opened.succeed(try MessageStream(on: stream, limit: CircuitRelay.maximumMessageByteCount, timeout: timeout))
                }
            }
        } catch {
            opened.fail(error)
            if error is CancellationError { throw error }
            throw CircuitRelayError(.relayUnreachable, "\(connection.remotePeer) does not relay", cause: error)
        }
        return try await opened.futureResult.get()
    }

    /// The relay's answer.
    ///
    /// - Throws: ``CircuitRelayError`` with `.timedOut`, `.malformedResponse` or `.relayUnreachable`; `CancellationError`.
    static func answer(from messages: MessageStream, relay: PeerID) async throws -> HopMessage {
        let bytes: ByteBuffer
        do {
            bytes = try await messages.read().get()
        } catch let error as ConnectionError where error.code == .timedOut {
            throw CircuitRelayError(.timedOut, "the relay \(relay) does not answer", cause: error)
        } catch let error as ConnectionError where error.code == .protocolViolation {
            throw CircuitRelayError(.malformedResponse, "the relay \(relay) answered with something else", cause: error)
        } catch {
            try Task.checkCancellation()
            throw CircuitRelayError(.relayUnreachable, "the relay \(relay) ended the stream without an answer", cause: error)
        }
        do {
            return try HopMessage(decoding: bytes)
        } catch {
            throw CircuitRelayError(.malformedResponse, "the relay \(relay) answered with something else", cause: error)
        }
    }
}
