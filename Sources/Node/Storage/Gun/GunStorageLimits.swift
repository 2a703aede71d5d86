public import DIGGun

/// How much of a kept graph is read, so that a damaged or foreign database can't fill the memory, and how much is kept.
public struct GunStorageLimits: Hashable, Sendable {
    /// Bytes of one soul, key or value.
    public var textByteCount: Int
    /// Keys of one node.
    public var keyCount: Int
    /// Bytes of all that is read.
    public var byteCount: Int
    /// Nodes of others that are kept. A graph takes out what it forgets, so there are more only if it was kept by one with higher limits;
    /// those saved longest ago go first.
    public var foreignNodeCount: Int

    /// - Parameter graph: What the graph keeps in memory. As a peer's own nodes are never forgotten, twice its bytes are read.
    public init(_ graph: GunGraphLimits = .init()) {
        self.textByteCount = graph.nodeByteCount
        self.keyCount = graph.keyCount
        self.byteCount = max(0, min(graph.byteCount, Int.max / 2)) * 2
        // A save may come with new nodes before the one that takes the forgotten ones out.
        self.foreignNodeCount = max(0, min(graph.nodeCount, Int.max / 2)) * 2
    }
}
