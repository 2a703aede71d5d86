import DIGIdentity
import DIGMultiformats
import DIGNet
import NIOCore

/// Asks one relay for a reservation, or to refresh the one held.
struct ReservationRequest: Sendable {
    let dialer: any PeerDialer
    let policy: AddressPolicy
    let timeout: Duration

    /// - Parameters:
    ///   - isConfigured: The user named the relay, so that it may have private addresses.
    /// - Returns: The reservation, and the connection that it lives on.
    /// - Throws: ``CircuitRelayError`` with `.relayUnreachable`, `.reservationRefused`, `.resourceLimitExceeded`, `.permissionDenied`,
    ///   `.malformedResponse`, `.invalidReservation` or `.timedOut`; `CancellationError`.
    func perform(at relay: PeerID, addresses: [Multiaddr], isConfigured: Bool) async throws -> (Reservation, any Connection) {
        let connection = try await Self.connect(
            to: relay, addresses: addresses, isConfigured: isConfigured, with: self.dialer, timeout: self.timeout)
        let messages = try await HopStream.open(on: connection, timeout: self.timeout)
        return try await withTaskCancellationHandler {
            defer { messages.finishAndDrain() }
            messages.write(HopMessage.reserve.encoded)
            let answer = try await HopStream.answer(from: messages, relay: relay)
            guard case .status(let status, let grant, let limit) = answer else {
                throw CircuitRelayError(.malformedResponse, "the relay \(relay) asks instead of answering")
            }
            guard status == .ok else { throw CircuitRelayError(refusedBy: "\(relay)", status: status) }
            guard let grant else { throw CircuitRelayError(.malformedResponse, "the relay \(relay) says OK without a reservation") }
            let policy = self.policy
            // In a private network of the user's own, the relay's other addresses are private too.
            let isPrivate = isConfigured && !policy.isPublic(connection.remoteAddress)
            let reservation = try Reservation(
                grant, limit: limit, relay: relay, peer: self.dialer.localPeer,
                knownAddress: connection.role == .dialer ? connection.remoteAddress.removingPeerID() : nil,
                isAcceptable: { isPrivate || policy.isPublic($0) }, nowSeconds: WallClock.nowMilliseconds / 1000)
            return (reservation, connection)
        } onCancel: {
            messages.close()
        }
    }

    /// A direct connection to the relay.
    static func connect(
        to relay: PeerID, addresses: [Multiaddr], isConfigured: Bool, with dialer: any PeerDialer, timeout: Duration?
    ) async throws -> any Connection {
        var options = DialOptions()
        // Also ends the recursion: the way to a relay never leads through a relay.
        options.requiresDirect = true
        options.source = isConfigured ? .user : .stranger
        options.timeout = timeout
        let connection: any Connection
        do {
            connection = try await dialer.connect(to: relay, addresses: addresses.filter { !$0.isCircuit }, options: options)
        } catch let error as CancellationError {
            throw error
        } catch {
            throw CircuitRelayError(.relayUnreachable, "no direct connection to the relay \(relay)", cause: error)
        }
        guard !connection.isRelayed else {
            throw CircuitRelayError(.relayUnreachable, "the relay \(relay) can be reached through another relay only")
        }
        return connection
    }
}
