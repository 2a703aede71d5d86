/// What peer exchange has seen and done since it began, and what it holds.
public struct PeerExchangeStatistics: Hashable, Sendable {
    // MARK: Holding

    /// Connected peers with which is exchanged.
    public var linkCount = 0
    /// Peers met: connected, or not long ago.
    public var contactCount = 0
    /// Peers that others told of.
    public var learnedPeerCount = 0
    /// Announcements that their signers made to this node.
    public var announcementCount = 0
    public var ownAnnouncementCount = 0
    public var inboundStreamCount = 0

    // MARK: Telling and asking

    public var exchangesSent: UInt64 = 0
    public var announcementsSent: UInt64 = 0
    public var queriesSent: UInt64 = 0
    /// Requests without an answer.
    public var requestsFailed: UInt64 = 0
    /// Requests that a peer had no time for, or too much of.
    public var requestsPutOff: UInt64 = 0
    /// Searches that were not passed on because too many were under way.
    public var searchesCutShort: UInt64 = 0

    // MARK: Hearing and answering

    public var exchangesReceived: UInt64 = 0
    public var announcementsReceived: UInt64 = 0
    public var queriesAnswered: UInt64 = 0
    /// Exchanges that did not follow the one before.
    public var restarts: UInt64 = 0
    /// Requests beyond what a peer, or all together, may send.
    public var refusedRequests: UInt64 = 0
    /// Streams beyond the limits.
    public var refusedStreams: UInt64 = 0
    /// Messages that can't be read, or are too long.
    public var malformedMessages: UInt64 = 0
    /// Envelopes that can't be read, or hold something else.
    public var invalidRecords: UInt64 = 0
    public var invalidSignatures: UInt64 = 0
    /// Records signed by somebody else than the peer they name, and announcements that somebody else made than whoever sent them.
    public var wrongPeerRecords: UInt64 = 0
    /// Announcements that are over.
    public var expiredAnnouncements: UInt64 = 0
    public var futureAnnouncements: UInt64 = 0
    /// Announcements under keys that nobody asked for.
    public var unwantedAnnouncements: UInt64 = 0
    /// Peers and announcements for which there is no room.
    public var refusedEntries: UInt64 = 0
    /// Learned peers that had to go for others.
    public var evictedPeers: UInt64 = 0

    // MARK: Connecting

    public var dialsStarted: UInt64 = 0
    public var dialsFailed: UInt64 = 0
    /// Events that a reader was too slow for.
    public var droppedEvents: UInt64 = 0

    public init() {}
}
