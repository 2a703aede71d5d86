import DIGMultiformats
import DIGNet

/// What one party has easily and many peers can't share by chance: a public IPv4 address, an IPv6 /64.
enum PeerNetwork {
    /// Nil where peers are not counted: in private networks many are behind one address, and a relay's says nothing about the peer.
    static func name(of address: Multiaddr, policy: AddressPolicy) -> String? {
        guard policy.isPublic(address), !address.components.contains(.p2pCircuit) else { return nil }
        switch address.components.first {
        case .ip4(let ip): return "\(ip)"
        case .ip6(let ip): return ip.mappedIPv4.map { "\($0)" } ?? "\(ip.high)/64"
        default: return nil
        }
    }
}
