import DIGIdentity

/// What is said on a stop stream (circuit-v2, "Stop Protocol").
enum StopMessage: Hashable, Sendable {
    /// This peer wants to connect.
    case connect(PeerID, limit: RelayLimit?)
    case status(RelayStatus)
}
