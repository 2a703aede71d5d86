/// How a home is connected to the internet, under the name used in plans, on the command line and in tables.
///
/// Mapping and filtering are the words of RFC 4787 §4.1 and §5; the classic names are kept because routers' owners know them.
public enum NATKind: String, CaseIterable, Hashable, Sendable, Codable {
    /// A public address behind a plain router.
    case none = "none"
    /// A public address behind a stateful firewall: nothing comes in that was not asked for.
    case noInbound = "no-inbound"
    /// Endpoint-independent mapping, no filter: whoever knows the mapped port gets in.
    case fullCone = "full-cone"
    /// Endpoint-independent mapping, address-dependent filter.
    case addressRestricted = "address-restricted"
    /// What a Linux home router does: endpoint-independent until two inside hosts use one source port; address-and-port filter.
    case portRestricted = "port-restricted"
    /// Endpoint-independent mapping without that exception, address-and-port filter.
    case portRestrictedEIM = "port-restricted-eim"
    /// A random external port for each destination.
    case symmetric = "symmetric"
    /// The next external port for each destination: predictable.
    case symmetricSequential = "symmetric-seq"
    /// Two port-restricted routers in series: the home's and the carrier's.
    case cgnatPortRestricted = "cgnat-pr"
    /// A port-restricted home router behind a symmetric carrier.
    case cgnatSymmetric = "cgnat-sym"
    /// Port-restricted, and no UDP leaves.
    case udpBlocked = "udp-blocked"
    /// Port-restricted, and nothing leaves but TCP to ports 80 and 443.
    case webOnly = "web-only"
    /// Symmetric on IPv4, and a global IPv6 prefix behind a stateful firewall.
    case dualStack = "dualstack"

    /// The kinds of the punch tables, in their order.
    public static let matrixRows: [NATKind] = [
        .none, .noInbound, .fullCone, .addressRestricted, .portRestricted, .symmetric, .symmetricSequential, .cgnatPortRestricted,
        .cgnatSymmetric, .udpBlocked, .webOnly,
    ]

    /// The kind of this name, or of this short name.
    public init?(named name: String) {
        guard let kind = Self(rawValue: name) ?? Self.allCases.first(where: { $0.shortName == name }) else { return nil }
        self = kind
    }

    /// For column heads; at most 5 letters.
    public var shortName: String {
        switch self {
        case .none: "none"
        case .noInbound: "noin"
        case .fullCone: "fc"
        case .addressRestricted: "ar"
        case .portRestricted: "pr"
        case .portRestrictedEIM: "preim"
        case .symmetric: "sym"
        case .symmetricSequential: "seq"
        case .cgnatPortRestricted: "cgpr"
        case .cgnatSymmetric: "cgsym"
        case .udpBlocked: "noudp"
        case .webOnly: "web"
        case .dualStack: "dual"
        }
    }

    /// One line for `natlab kinds`.
    public var explanation: String {
        switch self {
        case .none: "public address behind a plain router"
        case .noInbound: "public address, stateful firewall"
        case .fullCone: "endpoint-independent mapping, no filter"
        case .addressRestricted: "endpoint-independent mapping, filters by address"
        case .portRestricted: "a Linux home router: endpoint-independent mapping, filters by address and port"
        case .portRestrictedEIM: "the same, also when two inside hosts use one source port"
        case .symmetric: "a random external port for each destination"
        case .symmetricSequential: "the next external port for each destination"
        case .cgnatPortRestricted: "carrier-grade double NAT, both port-restricted"
        case .cgnatSymmetric: "carrier-grade double NAT, the carrier's symmetric"
        case .udpBlocked: "port-restricted, and no UDP leaves"
        case .webOnly: "port-restricted, and only TCP to ports 80 and 443 leaves"
        case .dualStack: "symmetric on IPv4, and IPv6 behind a stateful firewall"
        }
    }

    /// Whether the home's own router translates addresses.
    public var translates: Bool { self != .none && self != .noInbound }

    /// Whether the kind can be made to hairpin: only NATs with a mapping table of their own can (a masquerade has none to look up).
    public var canHairpin: Bool {
        switch self {
        case .fullCone, .addressRestricted, .portRestricted, .portRestrictedEIM: true
        default: false
        }
    }
}
