import DIGMultiformats

/// The network that one party has many addresses of: who has all of it has one voice.
enum HostNetwork: Hashable, Sendable {
    case ip4(UInt32)
    case ip6(UInt64)

    /// An IPv4 address; the provider's usual grant of IPv6, as go-libp2p counts observers.
    static let defaultIPv4PrefixLength = 32
    static let defaultIPv6PrefixLength = 56

    /// - Parameters:
    ///   - ipv4PrefixLength: 0 to 32.
    ///   - ipv6PrefixLength: 0 to 64.
    init(_ host: HostAddress, ipv4PrefixLength: Int = Self.defaultIPv4PrefixLength, ipv6PrefixLength: Int = Self.defaultIPv6PrefixLength) {
        switch host {
        // Shifts beyond the width give zero.
        case .ip4(let ip): self = .ip4(ip.rawValue & (UInt32.max << (32 - ipv4PrefixLength)))
        case .ip6(let ip): self = .ip6(ip.high & (UInt64.max << (64 - ipv6PrefixLength)))
        }
    }
}
