import DIGGun
import DIGMultiformats

/// Where others connect to this node as a relay of GUN.
enum GunAddresses {
    /// What is listened on at every interface is named once for each IP address at which the node can be reached, those of the internet first.
    static func reachable(_ listening: [GunURL], at addresses: [Multiaddr]) -> [GunURL] {
        var urls: [GunURL] = []
        for url in listening {
            let hosts: [String] =
                switch url.host {
                case "0.0.0.0": Self.hosts(LinkAddresses.select(addresses)) { if case .ip4(let ip) = $0 { "\(ip)" } else { nil } }
                case "::": Self.hosts(LinkAddresses.select(addresses)) { if case .ip6(let ip) = $0 { "\(ip)" } else { nil } }
                default: [url.host]
                }
            for host in hosts {
                var url = url
                url.host = host
                if !urls.contains(url) { urls.append(url) }
            }
        }
        return urls
    }

    private static func hosts(_ addresses: [Multiaddr], _ host: (Multiaddr.Component) -> String?) -> [String] {
        // A circuit's address is the relay's.
        addresses.filter { !$0.components.contains(.p2pCircuit) }.compactMap { $0.components.first.flatMap(host) }
    }
}
