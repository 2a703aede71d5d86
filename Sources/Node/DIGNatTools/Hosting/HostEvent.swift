public import DIGContent
public import DIGIdentity

/// What happens at a ``FileHost``.
public enum HostEvent: Sendable {
    /// The plain SHA-256 is known: the content can be fetched by it from now on.
    case sha256Computed(ContentHash, SHA256Digest)
    /// A shared file is not the one that was hashed any more; it is not served until it is added again.
    case contentChanged(ContentHash)
    /// A peer ended its session. `byteCounts`: what it got of each content; handed to the connection, not necessarily received.
    case sessionEnded(PeerID, byteCounts: [ContentHash: UInt64])
}
