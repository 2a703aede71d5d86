public import DIGAccess
public import DIGIdentity
import DIGMultiformats

/// What a ``FileHost`` with a network of its own needs to know.
public struct FileHostConfiguration: Sendable {
    /// Where connections are accepted, on every interface. 0: the system chooses.
    public var port: UInt16 = 8080
    /// Everything in it is shared when the host starts. It need not exist.
    public var directory: String
    /// The database and the key. Default: `.dig-nat` in ``directory``.
    public var dataDirectory: String
    /// Is found by peers on the same network.
    public var localEnabled = true
    /// DHT, peer exchange, GUN and gossip: the whitepaper's `dhtEnabled`, `pexEnabled`, `gunEnabled` and `gun`.
    public var discovery = NodeDiscoveryConfiguration()
    /// Nil: the key in ``dataDirectory``, made when there is none.
    public var identity: KeyPair?
    /// Whom the host serves: the whitepaper's `requirePeerAuthentication` and `acceptAnonymousPeers`. Default: everybody.
    public var access = AccessPolicy()
    /// Bytes per second sent at most. Nil: unlimited.
    public var uploadRate: Int?

    /// - Parameter directory: Relative to the working directory unless it begins with a slash.
    public init(directory: String = "./shared-files") {
        self.directory = directory
        self.dataDirectory = directory + "/.dig-nat"
    }

    var node: NodeConfiguration {
        var node = NodeConfiguration(dataDirectory: self.dataDirectory)
        node.listen = [Multiaddr(components: [.ip4(.any), .tcp(self.port)]), Multiaddr(components: [.ip6(.any), .tcp(self.port)])]
        node.localDiscovery = self.localEnabled
        node.discovery = self.discovery
        node.uploadRate = self.uploadRate
        node.access = self.access
        if let identity = self.identity { node.identity = .keyPair(identity) }
        return node
    }
}
