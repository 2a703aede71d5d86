/// A home: one router and the hosts behind it.
public struct HomePlan: Hashable, Sendable, Codable {
    /// Also the name of its first host. The others are `name-2`, `name-3` …
    public var name: String
    public var nat: NATKind
    /// From 1 to 5 (what a routed /29 holds).
    public var hostCount: Int
    /// Whether a packet to the router's own external address comes back in. Only where ``NATKind/canHairpin``.
    public var hairpin: Bool
    /// Whether the NAT keeps the inside port where it is free. Only for kinds made of mapping tables.
    public var preservesPorts: Bool
    /// Whether the router speaks UPnP-IGD, NAT-PMP and PCP.
    public var upnp: Bool
    /// Whether strangers are answered with RST or ICMP instead of silence.
    public var rejects: Bool
    public var ipv6: IPv6Plan
    /// After how many seconds an idle UDP mapping is forgotten; `nil` for the kernel's 30 (120 after an answer).
    public var udpTimeoutSeconds: Int?
    /// The carrier this home is a customer of; `nil` for a line of its own.
    public var carrier: String?
    public var link: LinkPlan

    public init(
        _ name: String, nat: NATKind, hostCount: Int = 1, hairpin: Bool = false, preservesPorts: Bool = true, upnp: Bool = false, rejects: Bool = false,
        ipv6: IPv6Plan? = nil, udpTimeoutSeconds: Int? = nil, carrier: String? = nil, link: LinkPlan = LinkPlan()
    ) {
        self.name = name
        self.nat = nat
        self.hostCount = hostCount
        self.hairpin = hairpin
        self.preservesPorts = preservesPorts
        self.upnp = upnp
        self.rejects = rejects
        self.ipv6 = ipv6 ?? (nat == .dualStack ? .firewalled : .none)
        self.udpTimeoutSeconds = udpTimeoutSeconds
        self.carrier = carrier
        self.link = link
    }

    /// In seconds.
    static let udpTimeouts = 1...86_400

    /// The names of its hosts.
    public var hostNames: [String] { (1...max(1, self.hostCount)).map { $0 == 1 ? self.name : "\(self.name)-\($0)" } }
}
