import DIGMultiformats

/// Which of our addresses go into a link, and in what order.
enum LinkAddresses {
    /// Public ones first, then those of private networks; those that mean something else elsewhere (loopback, link-local) only if there are no others.
    static func select(_ addresses: [Multiaddr]) -> [Multiaddr] {
        let ranked = addresses.map { (rank: self.rank($0), address: $0) }
        let best = ranked.contains { $0.rank < 3 } ? ranked.filter { $0.rank < 3 } : ranked
        return best.enumerated().sorted { ($0.element.rank, $0.offset) < ($1.element.rank, $1.offset) }.map(\.element.address)
    }

    private static func rank(_ address: Multiaddr) -> Int {
        for component in address.components {
            let scope: AddressScope
            switch component {
            case .ip4(let address): scope = address.scope
            case .ip6(let address): scope = address.scope
            case .dns, .dns4, .dns6, .dnsaddr: return 0
            case .memory: return 4
            default: continue
            }
            return switch scope {
            case .global: 0
            case .private: 1
            // An address of ours that should not be in use, in a laboratory for instance, is in use all the same.
            case .carrierGradeNAT, .documentation, .reserved: 2
            case .loopback, .linkLocal: 3
            case .multicast, .unspecified: 4
            }
        }
        return 4
    }
}
