/// When what others see of this node is believed.
public struct ObservedAddressesConfiguration: Hashable, Sendable {
    /// Distinct networks that must have seen an address before it counts. As go-libp2p. One believes everybody.
    public var minimumObservers = 4
    /// What is one network: this many leading bits of an IPv4 address, 0 to 32, as go-libp2p.
    public var ipv4PrefixLength = HostNetwork.defaultIPv4PrefixLength
    /// The same of an IPv6 address, 0 to 64, as go-libp2p.
    public var ipv6PrefixLength = HostNetwork.defaultIPv6PrefixLength
    /// Distinct networks that must have seen where dials from one port come from before a NAT's mapping is judged. At least two.
    public var minimumMappingObservers = 3
    /// How long an observation counts after its connection has ended.
    public var memory: Duration = .seconds(600)
    /// Observations kept. The oldest of ended connections are dropped first, then the oldest of all.
    public var maximumObservations = 1024
    /// External addresses for one local address. As go-libp2p.
    public var maximumAddressesPerListenAddress = 3

    public init() {}
}
