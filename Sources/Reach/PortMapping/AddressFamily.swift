/// IPv4 or IPv6: each has its own gateway, and mappings of its own.
public enum AddressFamily: String, Hashable, Sendable, CaseIterable {
    case ip4
    case ip6
}
