/// What a node of the DHT has seen and done since it began, and what it holds.
public struct KademliaStatistics: Hashable, Sendable {
    // MARK: Holding

    public var routingTableCount = 0
    public var providerRecordCount = 0
    public var providerKeyCount = 0
    public var valueCount = 0
    public var letterCount = 0
    /// Keys that this node provides.
    public var providedKeyCount = 0
    public var inboundStreamCount = 0

    // MARK: Answering

    public var requestsAnswered: UInt64 = 0
    /// Messages that can't be read, or are too long.
    public var malformedMessages: UInt64 = 0
    /// Streams beyond the limits.
    public var refusedStreams: UInt64 = 0
    /// Questions that had to wait because their peer asks too much.
    public var delayedRequests: UInt64 = 0
    /// Records about somebody else than whoever sent them, or signed by somebody else than they should be.
    public var wrongPeerRecords: UInt64 = 0
    public var invalidSignatures: UInt64 = 0
    /// Records that are over.
    public var expiredRecords: UInt64 = 0
    /// Records that claim more time than there is for records.
    public var futureRecords: UInt64 = 0
    /// Values without a validator, too long, or otherwise not to be had; unsigned provider records where signatures are needed.
    public var invalidRecords: UInt64 = 0
    /// Older than what is here.
    public var outdatedRecords: UInt64 = 0
    /// Records whose sender has too many.
    public var refusedRecords: UInt64 = 0
    /// Records that went before their time, to make room.
    public var evictedRecords: UInt64 = 0
    /// Nodes that would have been too many of their network.
    public var refusedNodes: UInt64 = 0

    // MARK: Asking

    public var requestsSent: UInt64 = 0
    public var requestsFailed: UInt64 = 0
    public var lookups: UInt64 = 0
    /// Records and values in answers that were not believed.
    public var disbelievedAnswers: UInt64 = 0
    /// Provider records that a node was seen to have stored.
    public var recordsProvided: UInt64 = 0
    public var recordsNotProvided: UInt64 = 0

    public init() {}
}
