/// How much is told and heard over `/dig/availability/1.0.0`. All of it is ours.
public struct AvailabilityExchangeConfiguration: Hashable, Sendable {
    /// Connected peers that a report goes to at once.
    public var fanout = 16
    /// Reports of this node that are told to those who connect later; the oldest are left out.
    public var recentReportCount = 64
    /// For how long after they were signed.
    public var recentReportLifetime: Duration = .seconds(1_800)
    /// For a request and its answer.
    public var requestTimeout: Duration = .seconds(10)
    /// Streams of others at a time; one more is reset.
    public var maximumInboundStreams = 64
    /// The same of one peer.
    public var maximumInboundStreamsPerPeer = 4
    /// Records of one peer that are checked a second, on average; what is over is refused with `.quotaExceeded` before its signature is looked at.
    public var statementsPerSecondPerPeer = 1.0
    /// Records of one peer that are checked at once after it was silent.
    public var statementBurstPerPeer = 64.0
    /// As ``statementsPerSecondPerPeer`` for all peers together.
    public var statementsPerSecond = 50.0
    /// As ``statementBurstPerPeer`` for all peers together.
    public var statementBurst = 500.0
    /// Peers whose records are counted.
    public var meteredPeerCount = 4_096

    public init() {}
}
