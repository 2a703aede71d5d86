/// How much of the graph a node keeps.
public struct GunGraphLimits: Hashable, Sendable {
    /// Nodes in all. Beyond, those used least recently are forgotten: first what strangers wrote, then what they signed, never this node's own.
    public var nodeCount = 20_000
    /// Bytes of souls, keys and values in all, with what it costs to keep them.
    public var byteCount = 32 * 1024 * 1024
    /// Keys of one node. Where a guard checks who writes, the oldest state makes room; elsewhere further keys are refused.
    public var keyCount = 2_048
    /// Bytes of one node.
    public var nodeByteCount = 1024 * 1024

    /// Writes whose state is still to come, in all. Beyond, the one that is furthest ahead is dropped.
    public var deferredCount = 1_024
    /// Bytes of these.
    public var deferredByteCount = 1024 * 1024
    /// How far ahead a state may be to be passed on to others; what is further is kept in quarantine, and told to nobody, until its time.
    public var quarantineHorizon: Duration = .seconds(60)
    /// States further ahead than this are dropped at once: no clock is that wrong.
    public var deferralHorizon: Duration = .seconds(86_400)

    public init() {}
}
