import DIGMultiformats
import DIGNet
import NIOCore

/// An address of either family.
enum IPAddress: Hashable, Sendable, CustomStringConvertible {
    case v4(IPv4Address)
    case v6(IPv6Address)

    /// The sixteen bytes of PCP, IPv4 in its mapped form (RFC 6887 §5).
    init(pcp address: IPv6Address) {
        self = address.mappedIPv4.map { .v4($0) } ?? .v6(address)
    }

    /// The IP address of a socket's address, without its zone.
    init?(_ address: SocketAddress) {
        switch Multiaddr(ip: address)?.components.last {
        case .ip4(let ip): self = .v4(ip)
        case .ip6(let ip): self = IPAddress(pcp: ip)
        default: return nil
        }
    }

    /// The sixteen bytes of PCP.
    var pcp: IPv6Address {
        switch self {
        case .v4(let ip): IPv6Address(mapping: ip)
        case .v6(let ip): ip
        }
    }

    var family: AddressFamily {
        switch self {
        case .v4: .ip4
        case .v6: .ip6
        }
    }

    var scope: AddressScope {
        switch self {
        case .v4(let ip): ip.scope
        case .v6(let ip): ip.scope
        }
    }

    var component: Multiaddr.Component {
        switch self {
        case .v4(let ip): .ip4(ip)
        case .v6(let ip): .ip6(ip)
        }
    }

    var multiaddr: Multiaddr { Multiaddr(components: [self.component]) }

    var description: String {
        switch self {
        case .v4(let ip): ip.description
        case .v6(let ip): ip.description
        }
    }
}
