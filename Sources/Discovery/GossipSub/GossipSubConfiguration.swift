public import DIGIdentity
public import DIGMultiformats
public import DIGNet

/// How a node takes part in gossipsub. Names of the specification are in brackets.
public struct GossipSubConfiguration: Sendable {
    public static let protocolID: ProtocolID = "/meshsub/1.1.0"
    /// Spoken with peers that know no other: they get no backoff and no peers in a PRUNE.
    public static let oldProtocolID: ProtocolID = "/meshsub/1.0.0"

    // MARK: Mesh

    /// Peers in a mesh that get every message at once (D).
    public var meshDegree = 6
    /// With fewer, more are grafted (D_lo). The specification's 4 is for v1.0; v1.1 implementations use 5.
    public var minimumMeshDegree = 5
    /// With more, some are pruned (D_hi).
    public var maximumMeshDegree = 12
    /// Kept for their score when some are pruned (D_score).
    public var scoredMeshDegree = 4
    /// Kept because this node has dialed them (D_out): those who come to a node may all be one. Below ``minimumMeshDegree`` and at most half of
    /// ``meshDegree``.
    public var outboundMeshDegree = 2
    /// Own messages go to every peer under the topic whose score allows it, not to the mesh only.
    public var floodsOwnMessages = true
    /// From this many heartbeats to the next, a poor mesh is looked through for better peers.
    public var opportunisticGraftTicks = 60
    public var opportunisticGraftPeers = 2

    // MARK: Gossip

    /// Peers outside the mesh that are told what there is, at least (D_lazy).
    public var gossipDegree = 6
    /// Of all peers outside the mesh.
    public var gossipFactor = 0.25
    /// Heartbeats for which a message is kept for others (mcache_len).
    public var historyLength = 5
    /// Heartbeats for which it is told about (mcache_gossip).
    public var historyGossip = 3
    /// How often one peer gets the same message by asking.
    public var gossipRetransmissions = 3
    /// Offers of one peer that are looked at between two heartbeats.
    public var maximumIHaveMessages = 10
    /// Messages that one peer is asked for, or may ask for, between two heartbeats.
    public var maximumIHaveLength = 5000
    /// How long a peer may take to send what it offered.
    public var promiseTimeout: Duration = .seconds(3)

    // MARK: Time

    public var heartbeatInterval: Duration = .seconds(1)
    /// How long peers are remembered for a topic that this node only publishes under.
    public var fanoutLifetime: Duration = .seconds(60)
    /// How long a message that was here is known again (seen_ttl).
    public var seenLifetime: Duration = .seconds(120)
    public var pruneBackoff: Duration = .seconds(60)
    public var unsubscribeBackoff: Duration = .seconds(10)
    /// A peer that asks for more gets this much.
    public var maximumBackoff: Duration = .seconds(3600)
    /// A GRAFT so soon after a PRUNE counts twice.
    public var graftFloodThreshold: Duration = .seconds(10)

    // MARK: Peers

    public var score = PeerScoreParameters()
    public var thresholds = PeerScoreThresholds()
    /// Peers under an agreement ("Explicit Peering Agreements"), with their addresses: they are in no mesh, get everything, and their score does
    /// not matter.
    public var directPeers: [PeerID: [Multiaddr]] = [:]
    /// Between looks whether the direct peers are connected.
    public var directConnectInterval: Duration = .seconds(300)
    /// Whether peers that are pruned because there are too many get the names of others.
    public var exchangesPeers = false
    /// Named in one PRUNE.
    public var exchangedPeerCount = 16
    /// What counts as the public internet.
    public var addressPolicy = AddressPolicy()

    // MARK: Limits

    /// Data of one message. An RPC has at most 1 MiB, with this and everything around it.
    public var maximumMessageByteCount = (1 << 20) - 8192
    /// Peers beyond get no stream.
    public var maximumPeers = 1024
    /// Own subscriptions.
    public var maximumSubscriptions = 1024
    /// Topics of one peer that are remembered, besides those that this node has subscribed to itself.
    public var maximumTopicsPerPeer = 256
    /// Messages that are known again. Beyond, the oldest are forgotten before their time.
    public var maximumSeenCount = 100_000
    /// Messages kept for others.
    public var maximumCacheByteCount = 16 << 20
    public var maximumBackoffCount = 16_384
    /// Waiting for one peer. Beyond, gossip goes first, then what came last.
    public var maximumQueueByteCount = 2 << 20
    public var maximumQueuedMessages = 2048
    /// Messages that wait for a reader of a subscription. Beyond, the oldest go.
    public var maximumBufferedDeliveries = 256

    public init() {}

    func validate() throws(GossipSubError) {
        func require(_ condition: Bool, _ what: String) throws(GossipSubError) {
            guard condition else { throw GossipSubError(.invalidConfiguration, what) }
        }
        try require(
            0 <= self.minimumMeshDegree && self.minimumMeshDegree <= self.meshDegree && self.meshDegree <= self.maximumMeshDegree,
            "the mesh degrees must be in order: \(self.minimumMeshDegree), \(self.meshDegree), \(self.maximumMeshDegree)")
        // All zero: a node that passes nothing on but gossip, as v1.1 recommends for bootstrap nodes.
        try require(
            0 <= self.outboundMeshDegree && self.outboundMeshDegree <= self.meshDegree / 2
                && (self.outboundMeshDegree < self.minimumMeshDegree || self.meshDegree == 0),
            "\(self.outboundMeshDegree) outbound peers are too many for a mesh of \(self.meshDegree)")
        try require((0...self.meshDegree).contains(self.scoredMeshDegree) || self.meshDegree == 0, "more peers kept by score than in a mesh")
        try require((0...1).contains(self.gossipFactor), "the gossip factor is a share")
        try require(self.historyGossip <= self.historyLength, "gossip about messages that are no longer kept")
        try require(self.heartbeatInterval > .zero, "no time between heartbeats")
        try require(self.thresholds.isValid, "the score thresholds must be in order")
        try require(self.score.isValid, "score parameters of the wrong sign or range")
        try require(
            self.maximumMessageByteCount + GossipLimits.maximumMessageOverhead < GossipLimits.maximumRPCByteCount, "messages longer than an RPC")
    }
}
