public import DIGIdentity

/// Keeps connections open while they carry no stream. The swarm's own `protect` and `unprotect` fulfil it.
///
/// A reservation lives only as long as the connection it was made on (circuit-v2, "Reservation"), at both ends.
public protocol ConnectionProtector: Sendable {
    func protect(_ peer: PeerID, tag: String)
    func unprotect(_ peer: PeerID, tag: String)
}
