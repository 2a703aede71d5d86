import DIGMultiformats

/// The order in which a peer's addresses are tried: near before far, direct before relayed, and IPv6 first in turn with IPv4
/// (RFC 8305 §4) among equals.
enum AddressRanking {
    /// `addresses` in the order to try, at most `limit`.
    ///
    /// When the limit cuts off every address of a family, the last place goes to the best of that family.
    static func ranked(_ addresses: [Multiaddr], limit: Int) -> [Multiaddr] {
        var groups: [Distance: [Family: [Multiaddr]]] = [:]
        for address in addresses {
            groups[Distance(address), default: [:]][Family(address), default: []].append(address)
        }
        let ordered = Distance.allCases.flatMap { distance in
            Self.interleaved(Family.allCases.map { groups[distance]?[$0] ?? [] })
        }
        guard ordered.count > limit, limit > 0 else { return Array(ordered.prefix(max(0, limit))) }
        var kept = Array(ordered[..<limit])
        let families = Set(kept.map(Family.init))
        if let fallback = ordered[limit...].first(where: { !families.contains(Family($0)) }) {
            kept[limit - 1] = fallback
        }
        return kept
    }

    private static func interleaved(_ lists: [[Multiaddr]]) -> [Multiaddr] {
        (0..<(lists.map(\.count).max() ?? 0)).flatMap { index in
            lists.compactMap { index < $0.count ? $0[index] : nil }
        }
    }

    enum Distance: Hashable, CaseIterable {
        case sameMachine, localNetwork, internet, relayed

        init(_ address: Multiaddr) {
            if address.components.contains(.p2pCircuit) {
                self = .relayed
                return
            }
            let scope: AddressScope? = address.components.lazy.compactMap { component in
                switch component {
                case .ip4(let ip): ip.scope
                case .ip6(let ip): ip.scope
                case .memory: AddressScope.loopback
                default: nil
                }
            }.first
            self =
                switch scope {
                case .loopback: .sameMachine
                case .private, .linkLocal: .localNetwork
                default: .internet
                }
        }
    }

    enum Family: Hashable, CaseIterable {
        case v6, v4, other

        init(_ address: Multiaddr) {
            self =
                address.components.lazy.compactMap { component -> Family? in
                    switch component {
                    case .ip6, .dns6: .v6
                    case .ip4, .dns4: .v4
                    default: nil
                    }
                }.first ?? .other
        }
    }
}
