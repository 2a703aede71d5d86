public import DIGIdentity
public import DIGMultiformats

/// A peer in the local network, as it announced itself. Nothing of it is proven before a handshake.
public struct DiscoveredPeer: Hashable, Sendable {
    public var peer: PeerID
    /// Where it says it can be reached, without `/p2p/…` at the end. Empty once the peer has said goodbye or fallen silent.
    public var addresses: [Multiaddr]
    /// When to forget it unless it is heard of again.
    public var expires: ContinuousClock.Instant

    public init(peer: PeerID, addresses: [Multiaddr], expires: ContinuousClock.Instant) {
        self.peer = peer
        self.addresses = addresses
        self.expires = expires
    }
}
