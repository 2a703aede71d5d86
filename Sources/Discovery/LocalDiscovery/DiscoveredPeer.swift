public import DIGIdentity
public import DIGMultiformats

/// A peer in the local network, as it announced itself. Nothing of it is proven before a handshake.
public struct DiscoveredPeer: Hashable, Sendable {
    public var peer: PeerID
    /// Where it says it can be reached, without `/p2p/…` at the end. Empty once the peer has said goodbye or fallen silent.
    public var addresses: [Multiaddr]
    /// When to forget it unless it is heard of again.
    public var expires: ContinuousClock.Instant
    /// What it calls itself; see ``LocalDiscoveryConfiguration/announceName``. A stranger's text, without control characters.
    public var name: String?
    /// Says, when asked for a content, that it has it: see ``LocalDiscovery/findPeers(holding:)``. Who has not answered has it not.
    public var answersForContents: Bool

    public init(peer: PeerID, addresses: [Multiaddr], expires: ContinuousClock.Instant, name: String? = nil, answersForContents: Bool = false) {
        self.peer = peer
        self.addresses = addresses
        self.expires = expires
        self.name = name
        self.answersForContents = answersForContents
    }
}
