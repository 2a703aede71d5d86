import OrderedCollections

/// A peer as it connected.
struct GossipPeerInfo: Hashable, Sendable {
    /// Speaks v1.0 only.
    var isOld = false
    /// This node has dialed it.
    var isOutbound = false
    /// Where it is: peers in one network may all be one.
    var network: String?
    /// Its peer record, signed, to pass on.
    var record: [UInt8]?
}

/// What the router knows of a connected peer.
struct GossipRouterPeer: Sendable {
    var info: GossipPeerInfo
    var topics: OrderedSet<String> = []
    // Since the last heartbeat:
    var ihaveCount = 0
    var requestedCount = 0
    var servedCount = 0
    var pruneReplies = 0
}
