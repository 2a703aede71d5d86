import DIGIdentity
import DIGMultiformats

/// Which of our addresses go into a link, and in what order.
enum LinkAddresses {
    /// Public ones first, then those of private networks; those that mean something else elsewhere (loopback, link-local) only if there are no others.
    ///
    /// A relay may listen at many addresses. Of each relay one goes in for each transport and version of IP, and none of its private network if it has others.
    static func select(_ addresses: [Multiaddr]) -> [Multiaddr] {
        let ranked = addresses.map { (rank: self.rank($0), address: $0) }
        let best = ranked.contains { $0.rank < 3 } ? ranked.filter { $0.rank < 3 } : ranked
        let sorted = best.enumerated().sorted { ($0.element.rank, $0.offset) < ($1.element.rank, $1.offset) }.map(\.element.address)
        let publicRelays = Set(addresses.lazy.filter { ![1, 3, 4].contains(self.rank($0)) }.compactMap(\.relay))
        var seen: Set<RelayRoute> = []
        return sorted.filter { address in
            guard let relay = address.relay else { return true }
            if publicRelays.contains(relay), [1, 3, 4].contains(self.rank(address)) { return false }
            return seen.insert(RelayRoute(relay: relay, protocols: self.protocols(address))).inserted
        }
    }

    private struct RelayRoute: Hashable {
        var relay: PeerID
        var protocols: [String]
    }

    /// What the relay is reached by: `ip4`, `tcp`, `ws`, without its address and port.
    private static func protocols(_ address: Multiaddr) -> [String] {
        var names: [String] = []
        for component in address.components {
            switch component {
            case .p2p, .p2pCircuit: return names
            case .ip4, .dns4: names.append("4")
            case .ip6, .dns6: names.append("6")
            case .tcp: names.append("tcp")
            case .udp: names.append("udp")
            default: names.append("\(component)")
            }
        }
        return names
    }

    /// 0 public, 1 private, 2 odd, 3 of this machine or link, 4 of no use.
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

extension Multiaddr {
    /// Who relays, if a relay does.
    var relay: PeerID? {
        guard let index = self.components.firstIndex(of: .p2pCircuit) else { return nil }
        for case .p2p(let multihash) in self.components[..<index].reversed() {
            do throws(IdentityError) { return try PeerID(multihash: multihash) } catch { return nil }
        }
        return nil
    }
}
