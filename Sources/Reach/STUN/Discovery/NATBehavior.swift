public import NIOCore

/// What stands between a UDP port and the internet, with the evidence.
public struct NATBehavior: Hashable, Sendable {
    public var mapping: NATMapping
    public var filtering: NATFiltering
    /// Whether the external port is that of the socket. Nil: not seen.
    public var preservesPort: Bool?
    /// Whether a packet from inside to an external address of the same NAT arrives (RFC 4787 §6). Nil: not known.
    public var hairpins: Bool?
    /// Each address and port that a server saw the shared port as, without duplicates, IPv4 first. More than one of a family: the mapping
    /// depends on the destination, or the NAT has several addresses.
    public var external: [SocketAddress]
    /// No server answered.
    public var isUDPBlocked: Bool
    /// Whether addresses are translated. Nil: not seen.
    public var isBehindNAT: Bool?
    /// Every question asked, in order, and what came of it.
    public var evidence: [NATEvidence]

    public init(
        mapping: NATMapping = .unknown, filtering: NATFiltering = .unknown, preservesPort: Bool? = nil, hairpins: Bool? = nil,
        external: [SocketAddress] = [], isUDPBlocked: Bool = false, isBehindNAT: Bool? = nil, evidence: [NATEvidence] = []
    ) {
        self.mapping = mapping
        self.filtering = filtering
        self.preservesPort = preservesPort
        self.hairpins = hairpins
        self.external = external
        self.isUDPBlocked = isUDPBlocked
        self.isBehindNAT = isBehindNAT
        self.evidence = evidence
    }

    /// The classic name.
    public var type: NATType {
        if self.isUDPBlocked { return .blocked }
        switch (self.mapping, self.filtering) {
        case (.unknown, _): return .unknown
        case (.addressDependent, _), (.addressAndPortDependent, _): return .symmetric
        case (.endpointIndependent, .unknown) where self.isBehindNAT == false: return .unknown
        case (.endpointIndependent, .endpointIndependent) where self.isBehindNAT == false: return .open
        case (.endpointIndependent, _) where self.isBehindNAT == false: return .firewall
        case (.endpointIndependent, .endpointIndependent): return .fullCone
        case (.endpointIndependent, .addressDependent): return .addressRestricted
        case (.endpointIndependent, .addressAndPortDependent): return .portRestricted
        case (.endpointIndependent, .unknown): return .cone
        }
    }
}
