import DIGMultiformats
import DIGNet
import NIOCore

/// Whom a limit is for: an IPv4 address or an IPv6 /64, the least that one household has.
struct STUNNetworkKey: Hashable {
    private enum Value: Hashable {
        case ip4(UInt32)
        case ip6(UInt64)
    }
    private let value: Value

    init?(_ address: SocketAddress) {
        switch Multiaddr(ip: address)?.components.last {
        case .ip4(let ip): self.value = .ip4(ip.rawValue)
        case .ip6(let ip): self.value = ip.mappedIPv4.map { .ip4($0.rawValue) } ?? .ip6(ip.high)
        default: return nil
        }
    }
}
