package import DIGMultiformats

extension Multiaddr {
    /// The machine and the port for a person: `192.168.1.1`, `203.0.113.4:4001`, `[2001:db8::1]:4001`, `example.org:443`. Everything else is left
    /// out; of an address through a relay, the relay is told.
    package var shortText: String {
        var host: String?
        var isIPv6 = false
        var zone = ""
        for component in self.components {
            switch component {
            case .ip6zone(let name): zone = "%\(name)"
            case .ip4(let ip): host = "\(ip)"
            case .ip6(let ip):
                host = "\(ip)\(zone)"
                isIPv6 = true
            case .dns(let name), .dns4(let name), .dns6(let name), .dnsaddr(let name): host = "\(name)"
            case .tcp(let port), .udp(let port):
                guard let host else { return self.description }
                return isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)"
            default: continue
            }
        }
        return host ?? self.description
    }
}
