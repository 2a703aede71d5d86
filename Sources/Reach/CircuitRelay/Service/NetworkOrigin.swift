import DIGMultiformats

/// The networks that an address is in, as far as one machine or one customer can have many addresses.
struct NetworkOrigin: Hashable, Sendable {
    enum Network: Hashable, Sendable {
        case ip4(IPv4Address)
        case ip6(UInt64)
    }

    /// An IPv4 address, or an IPv6 network of 64 bits.
    var address: Network
    /// An IPv6 network of 48 bits; nil for IPv4.
    var site: Network?

    /// Nil for an address that is no IP address, and for one of this machine.
    init?(_ address: Multiaddr) {
        for component in address.components {
            switch component {
            case .ip4(let ip):
                guard ip.scope != .loopback else { return nil }
                self.address = .ip4(ip)
                return
            case .ip6(let ip):
                guard ip.scope != .loopback else { return nil }
                if let mapped = ip.mappedIPv4 {
                    self.address = .ip4(mapped)
                } else {
                    self.address = .ip6(ip.high)
                    self.site = .ip6(ip.high & 0xffff_ffff_ffff_0000)
                }
                return
            default: continue
            }
        }
        return nil
    }
}
