/// How much is told and heard over `/dig/availability/1.0.0`. All of it is ours.
public struct AvailabilityExchangeConfiguration: Hashable, Sendable {
    /// Connected peers that a report goes to at once.
    public var fanout = 16
    /// Reports of this node that are told to those who connect later, and for how long after they were signed.
    public var recentReportCount = 64
    public var recentReportLifetime: Duration = .seconds(1_800)
    /// For a request and its answer.
    public var requestTimeout: Duration = .seconds(10)
    /// Streams of others at a time.
    public var maximumInboundStreams = 64
    public var maximumInboundStreamsPerPeer = 4
    /// Records of one peer that are checked: so many a second on average, so many at once.
    public var statementsPerSecondPerPeer = 1.0
    public var statementBurstPerPeer = 64.0
    /// The same for all peers together.
    public var statementsPerSecond = 50.0
    public var statementBurst = 500.0
    /// Peers whose records are counted.
    public var meteredPeerCount = 4_096

    public init() {}
}
