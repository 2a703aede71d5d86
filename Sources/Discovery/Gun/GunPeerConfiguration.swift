public import DIGNet

/// How a peer of GUN is connected and what it keeps.
public struct GunPeerConfiguration: Sendable {
    /// Another peer to stay connected to.
    public struct Relay: Hashable, Sendable {
        public var url: GunURL
        /// Who named it. What a stranger names has to be on the public internet.
        public var source: DialOptions.AddressSource

        public init(_ url: GunURL, source: DialOptions.AddressSource = .user) {
            self.url = url
            self.source = source
        }
    }

    /// At most ``maximumRelayCount``; further ones are left out.
    public var relays: [Relay] = []
    /// Where others can connect: what makes this peer a relay.
    public var listen: [GunListenAddress] = []
    public var maximumRelayCount = 16
    /// Connections accepted at once.
    public var connectionCount = 128
    /// Of these from one IPv4 address or one /64.
    public var connectionCountForOrigin = 16
    public var addressPolicy = AddressPolicy()
    public var mesh = GunMeshConfiguration()
    public var webSocket = GunWebSocketConfiguration()
    /// How long changes are collected before they are put into the store.
    public var saveInterval: Duration = .seconds(1)
    /// How many nodes one transaction of the store has at most.
    public var saveCount = 1_000
    /// Snapshots of a node that wait for a slow reader; each holds everything, so the oldest are dropped.
    public var readerBufferCount = 16

    public init() {}

    /// For networks whose applications put values longer than the limits of ``GunLimits``: raises these, and those of the WebSockets, as
    /// ``GunMeshConfiguration/acceptMessages(ofUpTo:)`` does.
    ///
    /// Every connection may make this peer hold a few times as much: mind ``connectionCount``.
    public mutating func acceptMessages(ofUpTo byteCount: Int) {
        self.mesh.acceptMessages(ofUpTo: byteCount)
        let byteCount = self.mesh.limits.messageByteCount
        // One that is a little too long is complained about, and the connection kept.
        self.webSocket.frameByteCount = max(self.webSocket.frameByteCount, byteCount + byteCount / 8)
        self.webSocket.pendingByteCount = max(self.webSocket.pendingByteCount, 2 * byteCount)
    }
}
