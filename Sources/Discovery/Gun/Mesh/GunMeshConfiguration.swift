/// How a peer of GUN behaves towards the others.
public struct GunMeshConfiguration: Sendable {
    public var limits = GunLimits()
    public var graph = GunGraphLimits()
    /// Passes puts, gets and answers on between its connections, as gun.js does. Off: a leaf, whose neighbours have to reach each other otherwise.
    public var relays = true
    /// Answers "not found" and acknowledges puts, as gun.js does with storage. A gun.js client waits for both. Nil: where this peer can be
    /// connected to, so that the peers behind a relay do not all answer.
    public var actsAsStorage: Bool?
    /// How long the id of a message is known after it was last seen. gun.js: at least 9 s.
    public var messageLifetime: Duration = .seconds(15)
    /// Ids known at once; beyond, the oldest are forgotten.
    public var messageCount = 32_768
    /// How often an empty batch is sent on connections that were accepted. gun.js: 20 s.
    public var keepAliveInterval: Duration = .seconds(20)
    /// Messages a second taken from a connection that was accepted, on average; twenty times as many at once. What is beyond is dropped.
    public var acceptedMessageRate: Double = 100
    /// The same for one that this peer dialed: a relay speaks for many.
    public var dialedMessageRate: Double = 1_000
    /// Bytes a second, four times as many at once.
    public var byteRate: Double = 2 * 1024 * 1024
    /// Nodes of its own that are sent to a relay when it is connected.
    public var resentNodeCount = 2_048
    /// Souls watched at once.
    public var subscriptionCount = 4_096

    public init() {}

    /// Raises what has to be raised so that a message, or a value, may have so many bytes: the limits of both, the bytes that a connection may send at
    /// once, and what a node and the graph may have, of which one such value is a quarter at most. What is higher already stays.
    ///
    /// gun.js takes 89,999,999. While a message is read it is in memory about five times.
    public mutating func acceptMessages(ofUpTo byteCount: Int) {
        let byteCount = max(0, min(byteCount, 1 << 30))
        self.limits.messageByteCount = max(self.limits.messageByteCount, byteCount)
        self.limits.valueByteCount = max(self.limits.valueByteCount, byteCount)
        self.byteRate = max(self.byteRate, Double(byteCount) / 2)
        self.graph.nodeByteCount = max(self.graph.nodeByteCount, byteCount + 64 * 1024)
        self.graph.byteCount = max(self.graph.byteCount, 4 * byteCount)
        self.graph.deferredByteCount = max(self.graph.deferredByteCount, byteCount)
    }
}
