public import DIGAutoNAT
public import DIGCircuitRelay
public import DIGMultiformats
public import DIGPortMapping
public import DIGSTUN

/// What a node knows about the network that it is in: a snapshot.
public struct NATEnvironment: Sendable {
    /// Addresses of this machine's interfaces, with the ports listened on.
    public var listenAddresses: [Multiaddr]
    /// What is announced: addresses that others can use, circuits among them.
    public var announcedAddresses: [Multiaddr]
    public var reachability: ReachabilitySnapshot
    /// Nil if port mapping is switched off.
    public var portMapping: PortMapperStatus?
    /// Where relays take connections for this node.
    public var relayAddresses: [Multiaddr]
    /// What this node does as a relay.
    public var relayService: RelayServiceStatistics
    public var network: NetworkFingerprint
    /// What STUN servers showed about UDP; nil if none was asked, or none yet.
    public var udp: NATBehavior?
    /// Why it is not known though servers were asked, for a person.
    public var udpProblem: String?
    /// The backends through which punches can be agreed on without a connection.
    public var signaling: [String] = []

    /// The class of this node, by proof.
    public var tier: ConnectionTier {
        switch self.reachability.overall {
        case .public: .directCapable
        case .private: .natRestricted
        case .unknown: .unknown
        }
    }

    /// Whether an IPv6 address of the internet is among the interfaces'.
    public func hasPublicIPv6(_ isPublic: (Multiaddr) -> Bool) -> Bool {
        self.listenAddresses.contains { address in
            guard case .ip6 = address.components.first else { return false }
            return isPublic(address)
        }
    }
}
