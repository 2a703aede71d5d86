import DIGIdentity
public import DIGMultiformats
public import DIGNet
import NIOCore

/// Asks peers to dial this node (autonat v1), for servers that don't speak version 2.
public struct AutoNATv1Client: Sendable {
    /// From opening the stream to the answer.
    public var requestTimeout: Duration

    public init(requestTimeout: Duration = .seconds(30)) {
        self.requestTimeout = requestTimeout
    }

    /// Asks the peer of `connection` to dial `peer`, which is this node, at any of `addresses`.
    ///
    /// - Parameter addresses: Without `/p2p/…`. No more than 64 are sent.
    /// - Throws: ``AutoNATError``; `CancellationError` after the stream is reset.
    public func ask(about addresses: [Multiaddr], on connection: any Connection) async throws -> AutoNATv1Result {
        guard !connection.isRelayed else { throw AutoNATError(.notSupported, "\(connection.remotePeer) is reached through a relay") }
        do {
            let message = try await connection.withMessages(
                speaking: AutoNAT.protocolID, limit: AutoNATv1Codec.maximumByteCount, timeout: self.requestTimeout
            ) { messages in
                try await messages.write(AutoNATv1Codec.encode(.dial(peer: connection.localPeer.bytes, addresses: addresses))).get()
                let message = try AutoNATv1Codec.decode(try await messages.read().get())
                messages.finish()
                return message
            }
            guard case .response(let response) = message else { throw AutoNATError(.malformedAnswer, "the server answers with a request") }
            switch response.status {
            case .ok: return .reachable(response.address?.removingPeerID())
            case .dialError: return .unreachable
            case .dialRefused: return .refused
            case .badRequest: throw AutoNATError(.malformedAnswer, "the server finds the request bad: \(response.text ?? "")")
            case .internalError: throw AutoNATError(.serverFailed, "the server could not do it: \(response.text ?? "")")
            }
        } catch {
            try Task.checkCancellation()
            throw AutoNATError(asking: connection.remotePeer, error)
        }
    }
}
