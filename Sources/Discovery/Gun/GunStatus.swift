/// A look at a peer of GUN.
public struct GunStatus: Hashable, Sendable {
    /// Where it can be connected to.
    public var listening: [GunURL]
    /// The relays it is connected to.
    public var relays: [GunURL]
    /// Connections of others to it.
    public var acceptedCount: Int
    public var nodeCount: Int
    public var byteCount: Int
    /// Writes kept until their time.
    public var deferredCount: Int
    public var graph: GunGraphStatistics
    public var mesh: GunMeshStatistics
}
