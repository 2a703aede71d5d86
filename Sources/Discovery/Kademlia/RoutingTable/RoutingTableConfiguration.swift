/// How many nodes are remembered, and which.
public struct RoutingTableConfiguration: Hashable, Sendable {
    /// k: nodes in a bucket (kad-dht r2, "Replication parameter").
    public var bucketSize = 20
    /// Nodes that wait for room in a full bucket; the newest are kept.
    public var replacementCount = 10
    /// Nodes of one /24 or /64 in a bucket, as go-libp2p has of a /16: one machine with many names must not fill it.
    public var maximumPerNetworkInBucket = 2
    /// The same in the whole table.
    public var maximumPerNetwork = 8
    /// Questions in a row that a node may leave unanswered while nobody waits for its place.
    public var maximumFailures = 3
    /// A node that nothing was heard of for so long is asked before it is kept any longer.
    public var livenessInterval: Duration = .seconds(600)
    /// A bucket in which nothing was looked up for so long is refreshed (kad-dht r2, "Bootstrap process").
    public var refreshInterval: Duration = .seconds(600)
    /// Buckets that are refreshed, from the farthest. Closer ones are filled by looking up oneself; and a key that falls into them takes
    /// 2¹⁵ hashes to find.
    public var maximumRefreshPrefixLength = 15

    public init() {}
}
