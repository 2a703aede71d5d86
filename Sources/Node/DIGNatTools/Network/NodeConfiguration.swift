public import DIGAccess
public import DIGAvailability
public import DIGIdentity
public import DIGLocalDiscovery
public import DIGMultiformats
public import DIGSwarm
public import DIGTransfer
public import DIGTraversal
public import DIGWebSocket

/// What a node needs to know before it starts. Every value has a default but the directory.
public struct NodeConfiguration: Sendable {
    /// Whose key the node uses.
    public enum Identity: Sendable {
        /// Loads the key file, or creates it with a new Ed25519 key.
        case file(path: String)
        case keyPair(KeyPair)
    }

    /// Holds the database and, unless ``identity`` says otherwise, the key. Created with mode 0700.
    public var dataDirectory: String
    /// Default: `identity.key` in ``dataDirectory``.
    public var identity: Identity
    /// Where connections are accepted. Empty: nowhere. Port 0: the system chooses.
    ///
    /// Default: every IPv4 and IPv6 interface.
    public var listen: [Multiaddr] = [
        Multiaddr(components: [.ip4(.any), .tcp(0)]),
        Multiaddr(components: [.ip6(.any), .tcp(0)]),
    ]
    /// Bytes per second received at most, over all transfers. Nil: unlimited.
    public var downloadRate: Int?
    /// Finds peers on the same network by mDNS and is found there.
    public var localDiscovery: Bool = true
    /// Connections: their number, times, and what is dialed.
    public var swarm = SwarmConfiguration()
    /// What serving others may cost: sessions, memory, open files, rates.
    public var transferHost = TransferHostConfiguration()
    /// For addresses with `/ws` and `/wss`: the certificate of this node, and whose are believed.
    public var webSocket = WebSocketConfiguration()
    /// How peers behind NATs are reached, and how this node lets itself be reached.
    public var traversal = TraversalConfiguration()
    /// How peers on the same network are found.
    public var multicast = LocalDiscoveryConfiguration()
    /// How peers elsewhere are found, and this node by them.
    public var discovery = NodeDiscoveryConfiguration()

    /// Whom to believe that they have what they claim. A proof may take longer than ``DIGAvailability/AvailabilityConfiguration`` says by itself: a
    /// holder behind a NAT has to be reached first.
    public var availability: AvailabilityConfiguration = {
        var configuration = AvailabilityConfiguration()
        configuration.verificationTimeout = .seconds(40)
        return configuration
    }()

    /// Whether holders are asked for proofs. The same as `availability.rules.verifies`.
    public var enableVerification: Bool {
        get { self.availability.rules.verifies }
        set { self.availability.rules.verifies = newValue }
    }

    /// How long others may believe what this node announces, 1 min to 24 h; it is announced again at least twice in that time.
    public var contentTTL: Duration {
        get { self.availability.contentLifetime }
        set {
            self.availability.contentLifetime = newValue
            self.availability.reannounceInterval = min(self.availability.reannounceInterval, newValue / 2)
        }
    }

    /// Reports alone make a holder unavailable, as the whitepaper has it. The same as `availability.rules.strictWhitepaper`.
    public var strictWhitepaper: Bool {
        get { self.availability.rules.strictWhitepaper }
        set { self.availability.rules.strictWhitepaper = newValue }
    }

    /// Whom this node serves what has no rule of its own. Default: everybody.
    public var access = AccessPolicy()
    /// What this node proves to hosts that ask who it is.
    public var authentication = AuthenticationConfiguration()

    /// Bytes per second sent at most, over all transfers. Nil: unlimited. The same as `transferHost.uploadBytesPerSecond`.
    public var uploadRate: Int? {
        get { self.transferHost.uploadBytesPerSecond }
        set { self.transferHost.uploadBytesPerSecond = newValue }
    }

    /// Open connections at most; the least useful idle one makes room. The same as `swarm.maximumConnections`.
    public var maximumConnectionCount: Int {
        get { self.swarm.maximumConnections }
        set { self.swarm.maximumConnections = newValue }
    }

    /// - Parameter dataDirectory: Made when the node is, if it is not there.
    public init(dataDirectory: String) {
        self.dataDirectory = dataDirectory
        self.identity = .file(path: dataDirectory + "/identity.key")
    }
}
