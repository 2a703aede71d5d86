public import DIGMultiformats
public import DIGNet

/// How a node takes part in one DHT.
public struct KademliaConfiguration: Sendable {
    /// Which network: nodes with another id do not see each other.
    public var protocolID: ProtocolID
    public var mode: KademliaMode = .client
    public var routingTable = RoutingTableConfiguration()
    public var lookup = LookupConfiguration()
    public var providers = ProviderStoreConfiguration()
    public var values = ValueStoreConfiguration()
    public var mailboxes = MailboxStoreConfiguration()
    /// By namespace: `pk` is asked about keys that begin with `/pk/`. Keys without a validator are refused.
    public var validators: [String: any ValueValidator] = [
        PublicKeyValidator.namespace: PublicKeyValidator(), SignedValueValidator.namespace: SignedValueValidator(),
        OverlayAddressValidator.namespace: OverlayAddressValidator(),
    ]

    /// Where to begin when no node is known; each with `/p2p/…`.
    public var bootstrapPeers: [Multiaddr] = []

    // MARK: Addresses

    public var addressPolicy = AddressPolicy()
    /// For networks that live on private addresses. Otherwise such addresses are neither kept, nor passed on, nor dialed.
    public var allowsPrivateAddresses = false
    /// Of one peer; more are left out.
    public var maximumAddressesPerPeer = 8

    // MARK: Providing

    /// Provider records are sent with the provider's signature, and received ones without are not believed.
    ///
    /// Other software does not sign: not for the public network.
    public var requiresSignedProviders = false
    /// How long others are to keep what this node provides. At most 48 h.
    public var providerLifetime: Duration = .seconds(48 * 3600)
    /// kad-dht r2: 22 h, so that a record of 48 h survives one miss. With a shorter lifetime as much less: 27.5 min for an hour.
    public var reprovideInterval: Duration = .seconds(22 * 3600)
    /// Keys that this node may provide; more are refused.
    public var maximumProvidedKeys = 1_000_000
    /// Nodes to which records are sent at a time.
    public var provideParallelism = 16
    /// What is provided is remembered with the rest, and provided again by the next run. False for those who know by themselves what they have.
    public var remembersProvided = true

    /// While the service runs, others can find this node by its overlay address; see ``KademliaService/publishOverlayAddress()``. Only where others have
    /// the validator: not for the public network.
    public var publishesOverlayAddress = false
    /// After the start, before it is published first.
    public var overlayAddressPatience: Duration = .seconds(10)

    // MARK: Asking

    /// For each question, from the dial to the answer's last byte.
    public var requestTimeout: Duration = .seconds(10)
    /// Questions of this node under way at a time; more wait.
    public var maximumConcurrentRequests = 64
    /// Streams kept open for the next question.
    public var maximumIdleStreams = 128
    public var idleStreamTimeout: Duration = .seconds(30)
    /// Values to see before the best of them is taken, unless the lookup ends before.
    public var quorum = 8
    /// Providers that one search finds before it ends.
    public var maximumProvidersPerSearch = 100

    // MARK: Answering

    public var maximumInboundStreams = 256
    public var maximumInboundStreamsPerPeer = 8
    /// An open stream on which nothing is asked for so long is closed.
    public var inboundIdleTimeout: Duration = .seconds(60)
    /// Questions of one peer that are answered in a second. Beyond, it has to wait.
    public var requestsPerSecondPerPeer = 500
    /// What a peer that has been quiet may ask at once.
    public var requestBurstPerPeer = 2000

    // MARK: Upkeep

    /// Between looks at what is due: refreshes, nodes not heard of, records that are over.
    public var maintenanceInterval: Duration = .seconds(30)
    public var saveInterval: Duration = .seconds(300)
    /// Nodes that say they serve the DHT and are asked to prove it, at a time.
    public var maximumConcurrentProbes = 8

    public init(protocolID: ProtocolID) { self.protocolID = protocolID }

    /// The network of this software: signed records; providers say about every half hour that they are still there, and are forgotten after one hour.
    public static var dig: Self {
        var configuration = Self(protocolID: Kademlia.digProtocolID)
        configuration.requiresSignedProviders = true
        configuration.providerLifetime = .seconds(3600)
        configuration.reprovideInterval = .seconds(1800)
        return configuration
    }

    /// The public network of libp2p and IPFS, with its well-known first nodes.
    public static var publicNetwork: Self {
        var configuration = Self(protocolID: Kademlia.publicProtocolID)
        configuration.bootstrapPeers = Self.publicBootstrapPeers
        return configuration
    }

    /// A network of its own, with signed records as ``dig``; its nodes may be at private addresses.
    ///
    /// - Throws: ``KademliaError`` `.invalidConfiguration` for a bad name.
    public static func privateNetwork(_ name: String) throws(KademliaError) -> Self {
        var configuration = Self.dig
        configuration.protocolID = try Kademlia.protocolID(network: name)
        configuration.allowsPrivateAddresses = true
        return configuration
    }

    /// The list that kubo, helia and others ship.
    public static let publicBootstrapPeers: [Multiaddr] = [
        "/dnsaddr/bootstrap.libp2p.io/p2p/QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN",
        "/dnsaddr/bootstrap.libp2p.io/p2p/QmbLHAnMoJPWSCR5Zhtx6BHJX9KiKNN6tpvbUcqanj75Nb",
        "/dnsaddr/bootstrap.libp2p.io/p2p/QmcZf59bWwK5XFi76CZX8cbJ4BhTzzA3gU1ZjYZcYW3dwt",
        "/dnsaddr/va1.bootstrap.libp2p.io/p2p/12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8",
        "/ip4/104.131.131.82/tcp/4001/p2p/QmaCpDMGvV2BGHeYERUEnRQAwe3N8SzbUtfsmvsqQLuvuJ",
    ].compactMap { text in
        // A test reads each.
        do throws(MultiaddrError) { return try Multiaddr(text) } catch { return nil }
    }

    var filter: PeerAddressFilter {
        PeerAddressFilter(policy: self.addressPolicy, allowsPrivate: self.allowsPrivateAddresses, maximumCount: self.maximumAddressesPerPeer)
    }
}
