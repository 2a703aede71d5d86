import DIGMultiformats

/// The IP address of a machine; an IPv4-mapped IPv6 address is the IPv4 address that it stands for.
enum HostAddress: Hashable, Sendable, CustomStringConvertible {
    case ip4(IPv4Address)
    case ip6(IPv6Address)

    init(_ address: IPv6Address) {
        self = address.mappedIPv4.map { .ip4($0) } ?? .ip6(address)
    }

    /// Nil if `address` does not begin with an IP address; a zone before it makes it another kind of address.
    init?(_ address: Multiaddr) {
        switch address.components.first {
        case .ip4(let ip): self = .ip4(ip)
        case .ip6(let ip): self.init(ip)
        default: return nil
        }
    }

    var isIPv4: Bool { if case .ip4 = self { true } else { false } }

    /// `0.0.0.0` or `::`.
    var isUnspecified: Bool {
        switch self {
        case .ip4(let ip): ip == .any
        case .ip6(let ip): ip == .any
        }
    }

    var component: Multiaddr.Component {
        switch self {
        case .ip4(let ip): .ip4(ip)
        case .ip6(let ip): .ip6(ip)
        }
    }

    var description: String {
        switch self {
        case .ip4(let ip): ip.description
        case .ip6(let ip): ip.description
        }
    }
}
