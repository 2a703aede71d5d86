public import DIGIdentity

/// What a ``FileClient`` with a network of its own needs to know.
public struct FileClientConfiguration: Sendable {
    /// Where files go that come without a path. Made when the client starts.
    public var downloadDirectory: String
    /// The database and the key. Default: `.dig-nat` in ``downloadDirectory``.
    public var dataDirectory: String
    /// Looks for holders on the same network.
    public var localEnabled = true
    /// DHT, peer exchange, GUN and gossip: the whitepaper's `dhtEnabled`, `pexEnabled`, `gunEnabled` and `gun`.
    public var discovery = NodeDiscoveryConfiguration()
    /// Nil: the key in ``dataDirectory``, made when there is none.
    public var identity: KeyPair?
    /// Bytes per second received at most. Nil: unlimited.
    public var downloadRate: Int?

    /// - Parameter downloadDirectory: Relative to the working directory unless it begins with a slash.
    public init(downloadDirectory: String = "./downloads") {
        self.downloadDirectory = downloadDirectory
        self.dataDirectory = downloadDirectory + "/.dig-nat"
    }

    var node: NodeConfiguration {
        var node = NodeConfiguration(dataDirectory: self.dataDirectory)
        node.localDiscovery = self.localEnabled
        node.discovery = self.discovery
        node.downloadRate = self.downloadRate
        if let identity = self.identity { node.identity = .keyPair(identity) }
        return node
    }
}
