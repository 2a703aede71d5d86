import DIGIdentity
import DIGMultiformats
import DIGNet

/// Which addresses of peers are kept, passed on and dialed.
struct PeerAddressFilter: Sendable {
    var policy: AddressPolicy
    /// A network that lives on private addresses, such as one of a company or a laboratory.
    var allowsPrivate: Bool
    /// Of one peer; more are left out.
    var maximumCount: Int

    func admits(_ address: Multiaddr) -> Bool {
        guard let first = address.components.first, address.components.count(where: { $0 == .p2pCircuit }) <= 1 else { return false }
        guard self.allowsPrivate else { return self.policy.isPublic(address) }
        switch first {
        case .ip4(let ip): return ip.scope != .multicast && ip.scope != .unspecified
        case .ip6(let ip): return ip.scope != .multicast && ip.scope != .unspecified
        case .ip6zone: return false
        default: return true
        }
    }

    func callAsFunction(_ addresses: [Multiaddr]) -> [Multiaddr] {
        var kept: [Multiaddr] = []
        for address in addresses {
            guard kept.count < self.maximumCount else { break }
            let bare = address.removingPeerID()
            if self.admits(bare), !kept.contains(bare) { kept.append(bare) }
        }
        return kept
    }

    /// The network that counts for diversity; nil where private addresses are meant to be used, because a whole network may be one /24 then.
    func group(_ address: Multiaddr) -> NetworkGroup? {
        guard !self.allowsPrivate || self.policy.isPublic(address) else { return nil }
        return NetworkGroup(address)
    }

    func groups(_ addresses: [Multiaddr]) -> Set<NetworkGroup> { Set(addresses.compactMap { self.group($0) }) }
}
