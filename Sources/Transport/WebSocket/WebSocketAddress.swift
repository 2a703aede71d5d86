import DIGMultiformats

/// What a WebSocket multiaddr names: where to connect, whether inside TLS, and under which name.
///
///     /dns4/example.com/tcp/80/ws
///     /dns4/example.com/tcp/443/wss                       the same as
///     /dns4/example.com/tcp/443/tls/ws
///     /ip4/192.0.2.1/tcp/443/tls/sni/example.com/ws       what the two above become when the name is resolved
struct WebSocketAddress: Hashable {
    /// `/ip4/…/tcp/…` and so on, for the TCP transport.
    var endpoint: Multiaddr
    var isSecure: Bool
    /// The name before or after `/tcp`; nil if there is none.
    var name: String?
    /// What follows the port, without `/p2p`.
    var suffix: [Multiaddr.Component]

    /// Nil if `address` is anything else, apart from a `/p2p/…` at the end.
    init?(_ address: Multiaddr) {
        var rest = address.components[...]
        if case .p2p = rest.last { rest = rest.dropLast() }
        guard let port = rest.firstIndex(where: { if case .tcp = $0 { true } else { false } }) else { return nil }
        self.endpoint = Multiaddr(components: Array(rest[...port]))
        self.suffix = Array(rest[(port + 1)...])
        switch rest.first {
        case .dns(let name), .dns4(let name), .dns6(let name): self.name = name
        case .ip4, .ip6, .ip6zone: self.name = nil
        default: return nil
        }
        switch self.suffix {
        case [.ws]: self.isSecure = false
        case [.wss], [.tls, .ws]: self.isSecure = true
        default:
            guard self.suffix.count == 3, self.suffix[0] == .tls, case .sni(let name) = self.suffix[1], self.suffix[2] == .ws else { return nil }
            self.isSecure = true
            self.name = name
        }
    }

    var hasHostName: Bool {
        switch self.endpoint.components.first {
        case .dns, .dns4, .dns6: true
        default: false
        }
    }

    /// The value of the `Host` header (RFC 9110 §7.2): the port is left out if it is the usual one.
    var host: String {
        var text = self.name ?? ""
        var port: UInt16 = 0
        for component in self.endpoint.components {
            switch component {
            case .ip4(let ip) where self.name == nil: text = "\(ip)"
            case .ip6(let ip) where self.name == nil: text = "[\(ip)]"
            case .tcp(let number): port = number
            default: continue
            }
        }
        return port == (self.isSecure ? 443 : 80) ? text : "\(text):\(port)"
    }
}
