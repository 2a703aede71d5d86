import DIGAnnouncement

/// What fits in a message. A message with more is refused as a whole.
enum PeerExchangeLimits {
    /// Of a request or response, without its length.
    static let maximumMessageByteCount = 256 << 10
    /// What a writer fills at most, which leaves room for what is around the envelopes.
    static let maximumContentByteCount = 240 << 10
    /// The seed's `maxPeers`: of peers added, and of those dropped.
    static let maximumPeersPerExchange = 50
    static let maximumAnnouncementsPerExchange = 50
    static let maximumInterests = 64
    static let maximumAnnouncementsPerAnnounce = 64
    static let maximumHolders = 32
    /// An envelope with a peer record of some thirty addresses. Longer ones are not passed on.
    static let maximumRecordByteCount = 4_096
    static let maximumAnnouncementByteCount = ContentAnnouncement.maximumByteCount
    /// The longest name of a peer: a multihash of SHA-256 has 34 bytes, a key in the name 42 and more before it.
    static let maximumPeerByteCount = 64
}

/// Counts the bytes of what goes into a message.
struct MessageBudget {
    /// The tag and length in front of each entry.
    private static let overhead = 8
    private var left = PeerExchangeLimits.maximumContentByteCount

    /// Whether `byteCount` more fit; then they count.
    mutating func take(_ byteCount: Int) -> Bool {
        guard byteCount + Self.overhead <= self.left else { return false }
        self.left -= byteCount + Self.overhead
        return true
    }
}
