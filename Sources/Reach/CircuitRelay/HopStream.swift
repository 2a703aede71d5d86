import DIGIdentity
import DIGNet
import NIOCore

/// The client's side of a hop stream.
enum HopStream {
    /// - Parameter pending: Is told about the stream, so that cancelling closes it.
    /// - Throws: ``CircuitRelayError`` with `.relayUnreachable`; `CancellationError`.
    static func open(on connection: any Connection, timeout: Duration, pending: PendingChannel? = nil) async throws -> MessageStream {
        do {
            return try await connection.openMessages(
                speaking: CircuitRelay.hopProtocolID, limit: CircuitRelay.maximumMessageByteCount, timeout: timeout, pending: pending)
        } catch {
            if error is CancellationError { throw error }
            throw CircuitRelayError(.relayUnreachable, "\(connection.remotePeer) does not relay", cause: error)
        }
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
