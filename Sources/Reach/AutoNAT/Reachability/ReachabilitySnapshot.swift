public import DIGIdentity
public import DIGMultiformats

/// What is known about how others reach this node, with the reasons.
public struct ReachabilitySnapshot: Hashable, Sendable {
    /// One server's answer about one address.
    public struct Vote: Hashable, Sendable {
        public var server: PeerID
        public var serverAddress: Multiaddr
        public var isReachable: Bool
        /// Whether this node had sent it nothing from the port asked about, so that it stands for everybody.
        public var isStranger: Bool
        public var version: AutoNAT.Version
        public var at: ContinuousClock.Instant
    }

    /// An address of this node, and whether others get through to it.
    public struct Address: Hashable, Sendable {
        public var external: ExternalAddress
        public var state: AddressReachability
        /// Whether somebody got through to whom this node had sent nothing from that port. Without it, a NAT with address-dependent filtering
        /// may have let in those only whom it knew.
        public var isIndependent: Bool
        /// By how many the servers that say so outnumber the others.
        public var confidence: Int
        /// One for each network, the oldest first.
        public var votes: [Vote]
        /// Networks whose servers would not dial it.
        public var refusals: Int
        public var nextCheck: ContinuousClock.Instant
    }

    public var overall: NodeReachability
    public var addresses: [Address]
    /// Connected servers that may be asked.
    public var v2Servers: Int
    public var v1Servers: Int
    public var tcpMapping: TCPMapping

    /// What is worth telling others.
    public var reachableAddresses: [Multiaddr] { self.addresses.filter(\.state.isReachable).map(\.external.address) }

    /// Whether a reader of `self` learns something from `other`: votes and times alone are no news.
    func differs(from other: Self) -> Bool {
        func essence(_ address: Address) -> [AnyHashable] { [address.external, address.state, address.isIndependent] }
        return self.overall != other.overall || self.tcpMapping.behavior != other.tcpMapping.behavior
            || self.addresses.map(essence) != other.addresses.map(essence)
    }
}
