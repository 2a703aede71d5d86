public import DIGGossipSub
public import DIGGun
public import DIGKademlia
public import DIGMultiformats
public import DIGPeerExchange

/// By which ways a node finds peers and is found; mDNS has a switch of its own, ``NodeConfiguration/localDiscovery``.
public struct NodeDiscoveryConfiguration: Sendable {
    /// Whether this node answers the questions of others in the DHT, for which they have to reach it.
    public enum DHTDuty: String, Hashable, Sendable, CaseIterable {
        /// While everybody can reach it, by proof.
        case auto
        case always, never
    }

    /// The DHT of this software. Nil: off.
    public var dht: KademliaConfiguration? = .dig
    /// The DHT of libp2p and IPFS, in which anybody's provider records are. Nil: off.
    public var publicDHT: KademliaConfiguration? = .publicNetwork
    /// Whether this node answers the questions of others in the DHTs, or asks only.
    public var dhtDuty = DHTDuty.auto
    /// Nil: off.
    public var peerExchange: PeerExchangeConfiguration? = PeerExchangeConfiguration()
    /// Nil: off.
    public var gossip: GossipSubConfiguration? = GossipSubConfiguration()
    /// Nil, the default: off. It needs a relay to connect to, or others who connect.
    public var gun: GunPeerConfiguration?
    /// First contacts, each with its peer id: connected to at the start and whenever the connection is lost.
    public var bootstrapPeers: [Multiaddr] = []
    /// What is shared is announced by every way that is on.
    public var announces = true
    /// Dials private addresses too that peers tell of each other: for a network that lives on them, such as that of a company or a laboratory. Elsewhere a
    /// stranger could make this node knock on the doors of its own network.
    public var allowsPrivateAddresses = false

    public init() {}

    /// Nothing but what is switched on afterwards.
    public static var off: Self {
        var configuration = Self()
        configuration.dht = nil
        configuration.publicDHT = nil
        configuration.peerExchange = nil
        configuration.gossip = nil
        return configuration
    }

    /// A network of its own, whose nodes may be at private addresses: none of its nodes knows of the public ones.
    ///
    /// - Throws: `KademliaError` `.invalidConfiguration` for a bad name.
    public static func privateNetwork(_ name: String) throws(KademliaError) -> Self {
        var configuration = Self()
        configuration.dht = try .privateNetwork(name)
        configuration.publicDHT = nil
        configuration.peerExchange?.allowsPrivateAddresses = true
        configuration.allowsPrivateAddresses = true
        return configuration
    }

    // MARK: The whitepaper's switches

    /// Both DHTs. Switched on, they have their defaults.
    public var dhtEnabled: Bool {
        get { self.dht != nil || self.publicDHT != nil }
        set {
            guard newValue != self.dhtEnabled else { return }
            self.dht = newValue ? .dig : nil
            self.publicDHT = newValue ? .publicNetwork : nil
        }
    }

    /// Whether ``peerExchange`` is on; switched on, it has its defaults.
    public var pexEnabled: Bool {
        get { self.peerExchange != nil }
        set { if newValue != self.pexEnabled { self.peerExchange = newValue ? PeerExchangeConfiguration() : nil } }
    }

    /// Switched on, GUN needs relays or an address to listen at, see ``gun``.
    public var gunEnabled: Bool {
        get { self.gun != nil }
        set { if newValue != self.gunEnabled { self.gun = newValue ? GunPeerConfiguration() : nil } }
    }
}
