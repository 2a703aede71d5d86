/// A node as it is kept between two runs.
public struct GunStoredNode: Hashable, Sendable {
    public var node: GunNode
    /// Written by this peer itself.
    public var isOwn: Bool

    public init(node: GunNode, isOwn: Bool) {
        self.node = node
        self.isOwn = isOwn
    }
}

/// Where the graph stays between two runs: a table of soul, key, value, state and whose it is.
public protocol GunStorage: Sendable {
    /// What was kept, own nodes first, then those saved last; at most `limit` nodes.
    func load(limit: Int) async throws -> [GunStoredNode]

    /// Keeps `nodes`, each in place of all that was kept under its soul, and drops the souls in `removed`; all or nothing.
    func save(_ nodes: [GunStoredNode], removing removed: [ExactText]) async throws
}
