import DIGMultiformats

/// What a TCP multiaddr names: an IP address or a host name, and a port.
struct TCPEndpoint: Hashable {
    enum Host: Hashable {
        /// `ip4`, or `ip6` perhaps behind `ip6zone`.
        case ip([Multiaddr.Component])
        case name(String, HostResolver.AddressFamily)
    }

    var host: Host
    var port: UInt16

    /// Nil if `address` is anything else than a host, a port and perhaps `/p2p/…` at the end.
    init?(_ address: Multiaddr) {
        guard let (endpoint, rest) = Self.parse(address.components) else { return nil }
        switch rest.count {
        case 0: break
        case 1:
            guard case .p2p = rest[rest.startIndex] else { return nil }
        default: return nil
        }
        self = endpoint
    }

    /// The endpoint at the start of `components` and what follows it.
    static func parse(_ components: [Multiaddr.Component]) -> (TCPEndpoint, rest: ArraySlice<Multiaddr.Component>)? {
        var rest = components[...]
        guard let first = rest.popFirst() else { return nil }
        let host: Host
        switch first {
        case .ip4, .ip6: host = .ip([first])
        case .ip6zone:
            guard let second = rest.popFirst(), case .ip6 = second else { return nil }
            host = .ip([first, second])
        case .dns(let name): host = .name(name, .any)
        case .dns4(let name): host = .name(name, .v4)
        case .dns6(let name): host = .name(name, .v6)
        default: return nil
        }
        guard let next = rest.popFirst(), case .tcp(let port) = next else { return nil }
        return (TCPEndpoint(host: host, port: port), rest)
    }

    private init(host: Host, port: UInt16) {
        self.host = host
        self.port = port
    }
}
