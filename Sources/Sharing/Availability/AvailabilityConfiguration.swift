import DIGAnnouncement

/// Times, bounds and rules. The seed's values unless said otherwise.
public struct AvailabilityConfiguration: Hashable, Sendable {
    /// Where the whitepaper and this software differ.
    public var rules = AvailabilityRules()

    // MARK: Announcing

    /// How long others may believe an announcement of ours (the seed's `contentTTL`), clamped to ``lifetimeRange``.
    public var contentLifetime: Duration = .seconds(3_600)
    /// How often it is announced again (the seed's `reannounceInterval`): twice in a lifetime, so that one may be lost.
    public var reannounceInterval: Duration = .seconds(1_800)
    /// What a lifetime chosen by a peer is clamped to.
    public static var lifetimeRange: ClosedRange<Duration> { ContentAnnouncement.lifetimeRange }

    // MARK: Reports

    /// After so long a report weighs half.
    public var reportHalfLife: Duration = .seconds(1_800)
    /// A report that weighs less is forgotten: after 100 minutes with the half-life as it is.
    public var minimumReportWeight = 0.1
    /// How many reports of one reporter count within one half-life.
    public var reportsPerReporter = 200

    // MARK: Verification

    /// Between proofs of an available holder.
    public var availableInterval: Duration = .seconds(3_600)
    /// Between proofs of a suspect holder.
    public var suspectInterval: Duration = .seconds(300)
    /// Intervals vary by so much of themselves to either side, that nodes do not ask in step.
    public var jitter = 0.2
    /// After a try without an answer.
    public var retryInterval: Duration = .seconds(10)
    /// So many tries without an answer are one failure.
    public var tryCount = 3
    /// How long one proof may take.
    public var verificationTimeout: Duration = .seconds(10)
    /// Ours: the same holder is asked for the same content no more often, whatever is said about it.
    public var minimumInterval: Duration = .seconds(60)
    /// Ours: proofs at a time.
    public var concurrentVerifications = 8
    /// Ours: holders of a content are asked in their rhythm as long as somebody here has looked for that content within this time. Those with a high
    /// level are asked in any case.
    public var watchLifetime: Duration = .seconds(3_600)

    // MARK: Bounds

    /// Pairs of a peer and a content.
    public var recordLimit = 100_000
    /// Peers of one content; one more is refused with `.noRoom`.
    public var recordsPerContent = 1_000
    /// Contents of one peer; one more is refused with `.quotaExceeded`.
    public var recordsPerPeer = 10_000
    /// Reports about one pair; more than a high level takes, so that some may weigh little.
    public var reportsPerRecord = 16
    /// All reports together.
    public var reportLimit = 200_000
    /// Peers of whom there is a reputation.
    public var peerLimit = 10_000
    /// Contents whose holders are asked in their rhythm; see ``watchLifetime``.
    public var watchLimit = 10_000
    /// Ours: how long an unavailable holder that is silent is remembered, so that silence does not make it new.
    public var unavailableMemory: Duration = .seconds(86_400)

    /// Ours: what changes is kept so often at most; the rest when the node stops.
    public var saveInterval: Duration = .seconds(2)

    // MARK: Reputation

    /// After so long what we have seen of a peer counts half.
    public var reputationHalfLife: Duration = .seconds(86_400)

    public init() {}
}

extension Duration {
    /// Whole milliseconds, at least 0.
    var millisecondCount: UInt64 {
        let (seconds, attoseconds) = self.components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000)
        return overflow ? .max : product.adding(UInt64(attoseconds / 1_000_000_000_000_000))
    }
}

extension UInt64 {
    /// Without wrapping around.
    func adding(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = self.addingReportingOverflow(other)
        return overflow ? .max : sum
    }

    /// 0 where it would be negative.
    func since(_ earlier: UInt64) -> UInt64 { self > earlier ? self - earlier : 0 }
}
