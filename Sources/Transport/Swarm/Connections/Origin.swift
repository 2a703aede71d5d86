import DIGMultiformats

/// Where connections come from, as far as one machine can have many addresses: an IPv4 address, or an IPv6 network of 64 bits.
enum Origin: Hashable {
    case ip4(IPv4Address)
    case ip6(high: UInt64)

    /// Nil for an address that is no IP address, and for one of this machine.
    init?(_ address: Multiaddr) {
        for component in address.components {
            switch component {
            case .ip4(let ip):
                guard ip.scope != .loopback else { return nil }
                self = .ip4(ip)
                return
            case .ip6(let ip):
                guard ip.scope != .loopback else { return nil }
                self = ip.mappedIPv4.map { .ip4($0) } ?? .ip6(high: ip.high)
                return
            default: continue
            }
        }
        return nil
    }
}
