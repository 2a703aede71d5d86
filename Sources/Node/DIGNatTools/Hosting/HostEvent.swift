public import DIGContent
public import DIGDiscovery
public import DIGIdentity

/// What happens at a ``FileHost``.
public enum HostEvent: Sendable {
    /// The plain SHA-256 is known: the content can be fetched by it from now on.
    case sha256Computed(ContentHash, SHA256Digest)
    /// Every enabled way of discovery has had its try to let others find the content. Those where nobody took it are tried again.
    case announced(ContentHash, AnnouncementReport)
    /// A shared file is not the one that was hashed any more; it is not served until it is added again.
    case contentChanged(ContentHash)
    /// A peer ended its session. `byteCounts`: what it got of each content; handed to the connection, not necessarily received.
    case sessionEnded(PeerID, byteCounts: [ContentHash: UInt64])
}
