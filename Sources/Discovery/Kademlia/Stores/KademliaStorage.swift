public import DIGIdentity
public import DIGMultiformats

/// What a node of the DHT remembers between runs. Times are Unix time, in milliseconds.
public struct KademliaSnapshot: Sendable {
    /// A node of the routing table.
    public struct Peer: Hashable, Sendable {
        public var peer: PeerID
        public var addresses: [Multiaddr]

        public init(peer: PeerID, addresses: [Multiaddr]) {
            self.peer = peer
            self.addresses = addresses
        }
    }

    /// A provider record kept for others.
    public struct Provider: Hashable, Sendable {
        public var key: [UInt8]
        public var provider: PeerID
        public var addresses: [Multiaddr]
        public var statement: [UInt8]?
        public var expiresAtMilliseconds: UInt64

        public init(key: [UInt8], provider: PeerID, addresses: [Multiaddr], statement: [UInt8]?, expiresAtMilliseconds: UInt64) {
            self.key = key
            self.provider = provider
            self.addresses = addresses
            self.statement = statement
            self.expiresAtMilliseconds = expiresAtMilliseconds
        }
    }

    /// A value kept for others.
    public struct Value: Hashable, Sendable {
        public var key: [UInt8]
        public var value: [UInt8]
        public var expiresAtMilliseconds: UInt64

        public init(key: [UInt8], value: [UInt8], expiresAtMilliseconds: UInt64) {
            self.key = key
            self.value = value
            self.expiresAtMilliseconds = expiresAtMilliseconds
        }
    }

    /// What this node provides, so that it need not be announced again before its time.
    public struct Provided: Hashable, Sendable {
        public var key: [UInt8]
        public var lifetimeSeconds: UInt64
        /// 0: not yet.
        public var providedAtMilliseconds: UInt64

        public init(key: [UInt8], lifetimeSeconds: UInt64, providedAtMilliseconds: UInt64) {
            self.key = key
            self.lifetimeSeconds = lifetimeSeconds
            self.providedAtMilliseconds = providedAtMilliseconds
        }
    }

    public var peers: [Peer] = []
    public var providers: [Provider] = []
    public var values: [Value] = []
    public var provided: [Provided] = []

    public init() {}
}

/// Where a node of the DHT keeps what it remembers. Nothing read is trusted: signatures and times are checked again.
public protocol KademliaStorage: Sendable {
    /// - Parameter network: The protocol's id: one store may serve several networks.
    func load(network: String) async throws -> KademliaSnapshot
    /// Takes the place of what was saved before.
    func save(_ snapshot: KademliaSnapshot, network: String) async throws
}
