import DIGAvailability
import DIGContent
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTransfer

/// Asks holders for proofs of possession, connecting to them by whatever method works.
///
/// A connection that is made for that is not kept: it closes when it has been idle for a while, unless somebody else uses it meanwhile.
struct TransferProver: PossessionProver {
    /// For the question itself. The manager limits the whole.
    static let timeout: Duration = .seconds(10)

    let swarm: Swarm
    let connect: @Sendable (_ peer: PeerID, _ content: ContentHash) async throws -> any Connection
    /// Proves who this node is to a holder that asks for it. Nil: such holders can't be asked.
    let authenticator: @Sendable () -> (any PeerAuthenticator)?

    func proves(_ peer: PeerID, has content: ContentHash) async throws -> Bool {
        let connection: any Connection
        do {
            connection = try await self.connect(peer, content)
        } catch {
            try Task.checkCancellation()
            // Nobody is connected: it may be this node that is cut off.
            if self.swarm.connections.isEmpty { throw CancellationError() }
            throw error
        }
        var answer = try await self.ask(connection, content)
        if case .refused(.authenticationRequired) = answer, let authenticator = self.authenticator() {
            try await authenticator.authenticate(for: content, on: connection)
            answer = try await self.ask(connection, content)
        }
        switch answer {
        case .proven: return true
        case .lacks: return false
        case .refused(let reason): throw TransferError(.refused, "\(peer) does not say whether it has \(content) (\(reason))")
        }
    }

    private func ask(_ connection: any Connection, _ content: ContentHash) async throws -> PossessionAnswer {
        do {
            return try await TransferQuery(to: connection, timeout: Self.timeout).possession(of: content)
        } catch let error as ConnectionError where error.code == .noCommonProtocol {
            // It is there, and has nothing that could be had: such as a node of another software under the same hash.
            return .lacks(.notHeld)
        } catch let error as TransferError where error.code == .protocolViolation {
            return .lacks(.wrongBytes)
        }
    }
}
