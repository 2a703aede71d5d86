/// What a ``GossipSub`` has seen and done since it began, and what it holds.
public struct GossipSubStatistics: Hashable, Sendable {
    // MARK: Holding

    public var peerCount = 0
    /// In all meshes together; a peer counts once for each.
    public var meshPeerCount = 0
    public var subscriptionCount = 0
    public var cachedMessageCount = 0
    public var cachedByteCount = 0
    public var seenCount = 0
    public var backoffCount = 0
    public var promiseCount = 0
    /// Peers that have a score, also such as have left.
    public var scoredPeerCount = 0
    public var queuedByteCount = 0

    // MARK: Messages

    public var published: UInt64 = 0
    public var delivered: UInt64 = 0
    /// Copies sent to others.
    public var sentMessages: UInt64 = 0
    public var duplicates: UInt64 = 0
    public var rejected: UInt64 = 0
    public var ignored: UInt64 = 0
    /// Without a signature, or with one that is not the publisher's.
    public var invalidSignatures: UInt64 = 0
    /// Of graylisted peers, or under topics that nobody here has subscribed to.
    public var unwantedMessages: UInt64 = 0
    /// That claim to be from this node, and came from outside.
    public var ownMessagesReturned: UInt64 = 0
    /// For which the reader was too slow.
    public var droppedDeliveries: UInt64 = 0
    /// For which a peer was too slow.
    public var droppedMessages: UInt64 = 0

    // MARK: Control

    public var grafts: UInt64 = 0
    public var prunes: UInt64 = 0
    public var grafted: UInt64 = 0
    public var refusedGrafts: UInt64 = 0
    public var graftsDuringBackoff: UInt64 = 0
    public var sentGossip: UInt64 = 0
    public var droppedGossip: UInt64 = 0
    /// Offers beyond the limits, of peers with a bad score, or under topics that are not subscribed to.
    public var ignoredIHave: UInt64 = 0
    public var requestedMessages: UInt64 = 0
    public var answeredIWant: UInt64 = 0
    /// Questions for what is not here, or was sent too often.
    public var ignoredIWant: UInt64 = 0
    public var brokenPromises: UInt64 = 0
    /// Topics of peers beyond ``GossipSubConfiguration/maximumTopicsPerPeer``.
    public var ignoredSubscriptions: UInt64 = 0
    public var exchangedPeers: UInt64 = 0
    public var ignoredExchangedPeers: UInt64 = 0

    // MARK: Peers

    /// RPCs of peers below the graylist threshold.
    public var graylistedRPCs: UInt64 = 0
    public var malformedRPCs: UInt64 = 0
    /// Things in RPCs beyond what is read of one.
    public var excessItems: UInt64 = 0
    public var refusedStreams: UInt64 = 0
    public var refusedPeers: UInt64 = 0

    public init() {}
}
