public import DIGAnnouncement
public import DIGIdentity
public import DIGMultiformats

/// What peer exchange finds out.
public enum PeerExchangeEvent: Hashable, Sendable {
    /// There is a peer, by its own signed word. The seed's `peer:discovered(peer, infoHash)`.
    ///
    /// - Parameters:
    ///   - addresses: As the peer signed them, also private ones: dial them as a stranger's.
    ///   - key: What it has; nil if that was not asked.
    case discovered(PeerID, addresses: [Multiaddr], key: RendezvousKey?)
    /// A peer has said that it no longer has something.
    case withdrawn(PeerID, key: RendezvousKey)
    /// Nobody vouches for a peer any more, and it has not been connected for a while.
    case lost(PeerID)
}
