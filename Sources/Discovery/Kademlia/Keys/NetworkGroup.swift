import DIGMultiformats

/// The network that one party easily has many addresses of: an IPv4 /24, an IPv6 /64.
///
/// go-libp2p counts by /16 and by autonomous system. A /24 is what is rented in one piece, and needs no table of the world.
enum NetworkGroup: Hashable, Sendable {
    case ip4(UInt32)
    case ip6(UInt64)

    /// Nil if `address` does not begin with an IP address, or leads through a relay, whose address says nothing about the peer.
    init?(_ address: Multiaddr) {
        guard !address.components.contains(.p2pCircuit) else { return nil }
        switch address.components.first {
        case .ip4(let ip): self = .ip4(ip.rawValue >> 8)
        case .ip6(let ip): self = ip.mappedIPv4.map { .ip4($0.rawValue >> 8) } ?? .ip6(ip.high)
        default: return nil
        }
    }
}
