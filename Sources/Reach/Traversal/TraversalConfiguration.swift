public import DIGCircuitRelay
public import DIGHolePunching
public import DIGMultiformats
public import DIGNet
public import DIGPortMapping
public import DIGSTUN

/// How a node reaches others and lets itself be reached.
public struct TraversalConfiguration: Sendable {
    /// When a node relays for others.
    public enum RelayDuty: String, Hashable, Sendable, CaseIterable {
        /// While there is proof that everybody can reach it.
        case automatic = "auto"
        /// From the start, for a node whose owner knows.
        case always
        case never
    }

    public var ladder = LadderConfiguration()
    /// Relays to hold a place at; others only while nobody gets through directly. Each ends with `/p2p/<relay>`.
    public var relays: [Multiaddr] = []
    public var relayDuty: RelayDuty = .automatic
    /// Connections that the swarm may keep beyond its own maximum while this node relays. nil: as many as reservations and circuits may be.
    ///
    /// With less, fewer reservations are given: never for more than three quarters of all connections, so that whoever wants to reach the
    /// peers behind finds room.
    public var relayConnectionAllowance: Int?
    /// Asks the router to forward the listening port.
    public var usesPortMapping = true
    /// Networks that must have seen an address before it is believed. Where fewer relays are configured, each of them has to have seen it.
    public var minimumObservers = 2
    /// Networks that must have seen where dials come from before it is said how the NAT maps them; at least two. Where fewer relays are
    /// configured, each of them.
    public var minimumMappingObservers = 3
    /// Which addresses strangers may name. Applies to every part.
    public var addressPolicy = AddressPolicy()
    /// Servers that are asked what NAT is in front of the UDP port. Empty: nobody is asked.
    public var stunServers: [STUNServerAddress] = []
    public var portMapping = PortMapperConfiguration()
    public var holePunching = HolePunchingConfiguration()
    public var relayClient = RelayClientConfiguration()
    public var relayService = RelayServiceConfiguration()
    /// Events kept for a slow reader.
    public var eventBufferCount = 256

    public init() {}
}
