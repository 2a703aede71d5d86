public import DIGIdentity
public import DIGMultiformats

/// A node of the DHT, or a provider, and where it is said to be.
public struct KademliaPeer: Hashable, Sendable {
    public let peer: PeerID
    /// The peer's place.
    public let key: KademliaKey
    /// Without `/p2p/…`. Hearsay until somebody has answered there.
    public var addresses: [Multiaddr]

    public init(_ peer: PeerID, addresses: [Multiaddr] = []) {
        self.init(peer, key: KademliaKey(peer), addresses: addresses)
    }

    init(_ peer: PeerID, key: KademliaKey, addresses: [Multiaddr]) {
        self.peer = peer
        self.key = key
        self.addresses = addresses
    }
}
