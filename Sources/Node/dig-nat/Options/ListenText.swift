import DIGMultiformats

/// `HOST:PORT` with an IP address, `[IPv6]:PORT`, `:PORT` for every IPv4 interface; with `wss://` before it inside TLS, with `ws://` not.
enum ListenText {
    struct Address: Hashable {
        var host: String
        var port: UInt16
    }

    /// - Returns: Nil if the text is none of these.
    static func parse(_ text: String) -> (address: Address, isSecure: Bool)? {
        var rest = text[...]
        var isSecure = false
        for (scheme, secure) in [("wss://", true), ("https://", true), ("ws://", false), ("http://", false)] where rest.lowercased().hasPrefix(scheme) {
            rest = rest.dropFirst(scheme.count)
            isSecure = secure
        }
        if rest.hasSuffix("/gun") { rest = rest.dropLast(4) }
        guard let colon = rest.lastIndex(of: ":"), let port = UInt16(rest[rest.index(after: colon)...]) else { return nil }
        var host = rest[..<colon]
        if host.first == "[", host.last == "]" {
            host = host.dropFirst().dropLast()
            guard self.isIPv6(String(host)) else { return nil }
        } else {
            if host.isEmpty { host = "0.0.0.0" }
            guard self.isIPv4(String(host)) else { return nil }
        }
        return (Address(host: String(host), port: port), isSecure)
    }

    private static func isIPv4(_ text: String) -> Bool { (try? Multiaddr("/ip4/\(text)/tcp/1"))?.components.count == 2 }
    private static func isIPv6(_ text: String) -> Bool { (try? Multiaddr("/ip6/\(text)/tcp/1"))?.components.count == 2 }
}
