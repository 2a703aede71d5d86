/// How the nodes closest to a key are found.
public struct LookupConfiguration: Hashable, Sendable {
    /// k: how many are wanted (kad-dht r2, "Replication parameter").
    public var replication = 20
    /// α: questions under way at a time. kad-dht r2 recommends 10, as go-libp2p does: the 3 of the paper make a lookup wait for single dead
    /// nodes, and most of its time is such waiting.
    public var parallelism = 10
    /// β: a path ends when so many of the closest nodes it knows have answered. The specification asks all k; go-libp2p is content with 3
    /// and asks the others afterwards.
    public var resiliency = 20
    /// d: paths that share no node (S/Kademlia §4.4). A hostile node can spoil the path it is on, not the others. Each more costs time and
    /// questions.
    public var disjointPaths = 1
    /// Nodes asked at most where more than k are as close to the key as k should be, which looks like an attack on it.
    public var maximumRegionCount = 100
    /// A node that takes longer no longer holds up the others; its answer still counts.
    public var slowAfter: Duration = .seconds(3)
    /// For the whole lookup. What was found by then is the result.
    public var timeout: Duration = .seconds(60)
    /// Nodes with addresses in one /24 or /64 that one lookup asks.
    public var maximumPerNetwork = 8
    /// Nodes that one lookup remembers; the farthest are forgotten.
    public var maximumCandidates = 512
    /// Nodes that one answer may name; the spec's k. More are not looked at.
    public var maximumPeersPerAnswer = 20

    public init() {}
}
