public import DIGIdentity
public import DIGMultiformats

/// A peer that may serve as relay.
public struct RelayCandidate: Hashable, Sendable {
    public var peer: PeerID
    /// Where it can be dialed, without `/p2p/…`; may be empty while it is connected.
    public var addresses: [Multiaddr]
    /// The user named it: it is asked before others, and may have private addresses.
    public var isConfigured: Bool

    public init(peer: PeerID, addresses: [Multiaddr], isConfigured: Bool = false) {
        self.peer = peer
        self.addresses = addresses
        self.isConfigured = isConfigured
    }
}
