import DIGIdentity
import DIGMultiformats
import DIGNet

/// Which addresses are sent to a peer, and which of a peer's are dialed.
struct PunchAddresses {
    /// Why an address is left out.
    enum Refusal: String, Hashable {
        case relayed = "leads through a relay"
        case notPunchable = "no IP address and TCP port"
        case notPublic = "not a public address"
        case otherPeer = "belongs to another peer"
        case tooMany = "more than the limit"
    }

    var policy: AddressPolicy
    var maximumCount: Int
    var maximumHosts: Int
    var maximumPortsPerHost: Int
    /// The two peers are known to be in one network: addresses of it are meant.
    var allowsLocal = false

    /// The addresses to use, without `/p2p/…`, in the order given, each once; and the others with the reason.
    func select(_ addresses: [Multiaddr], of peer: PeerID) -> (usable: [Multiaddr], refused: [(Multiaddr, Refusal)]) {
        var usable: [Multiaddr] = []
        var refused: [(Multiaddr, Refusal)] = []
        var ports: [Multiaddr.Component: Int] = [:]
        for address in addresses {
            let bare = address.removingPeerID()
            guard !usable.contains(bare) else { continue }
            if let refusal = self.refusal(of: address, bare: bare, peer: peer) {
                refused.append((address, refusal))
                continue
            }
            guard let host = bare.components.first, usable.count < self.maximumCount, ports[host] != nil || ports.count < self.maximumHosts,
                ports[host, default: 0] < self.maximumPortsPerHost
            else {
                refused.append((address, .tooMany))
                continue
            }
            ports[host, default: 0] += 1
            usable.append(bare)
        }
        return (usable, refused)
    }

    private func refusal(of address: Multiaddr, bare: Multiaddr, peer: PeerID) -> Refusal? {
        if address.components.contains(.p2pCircuit) { return .relayed }
        if case .p2p = address.components.last, address.peerID != peer { return .otherPeer }
        guard bare.components.count == 2, case .tcp(let port) = bare.components[1], port != 0 else { return .notPunchable }
        let scope: AddressScope
        switch bare.components[0] {
        case .ip4(let ip): scope = ip.scope
        case .ip6(let ip): scope = ip.scope
        default: return .notPunchable
        }
        if self.policy.isPublic(scope) { return nil }
        switch scope {
        case .private, .loopback, .carrierGradeNAT: return self.allowsLocal ? nil : .notPublic
        default: return .notPublic
        }
    }
}
