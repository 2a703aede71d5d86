import DIGMultiformats
import DIGNet
import NIOCore

/// The networks that this machine is part of, by interface: which addresses are on a link (RFC 6762 §11).
struct LocalNetworks: Sendable {
    private struct Network4: Sendable {
        var address: IPv4Address
        var mask: IPv4Address

        func contains(_ other: IPv4Address) -> Bool { (other.rawValue ^ self.address.rawValue) & self.mask.rawValue == 0 }
    }

    private struct Network6: Sendable {
        var address: IPv6Address
        var mask: IPv6Address

        func contains(_ other: IPv6Address) -> Bool {
            (other.high ^ self.address.high) & self.mask.high == 0 && (other.low ^ self.address.low) & self.mask.low == 0
        }
    }

    /// The text of all addresses that the machine has.
    private(set) var ownAddresses: Set<String> = []
    private var networks4: [String: [Network4]] = [:]
    private var networks6: [String: [Network6]] = [:]

    /// - Parameter mask: Nil, or of no bits: the network is the address alone.
    mutating func add(_ socketAddress: SocketAddress, mask: SocketAddress?, interface: String) {
        if let text = socketAddress.ipAddress { self.ownAddresses.insert(text) }
        let mask = mask.flatMap { Multiaddr(ip: $0)?.components.last }
        switch (Multiaddr(ip: socketAddress)?.components.last, mask) {
        case (.ip4(let ip), .ip4(let mask)) where mask.rawValue != 0:
            self.networks4[interface, default: []].append(Network4(address: ip, mask: mask))
        case (.ip6(let ip), .ip6(let mask)) where mask.high != 0:
            self.networks6[interface, default: []].append(Network6(address: ip, mask: mask))
        default: break
        }
    }

    func isOwn(_ address: SocketAddress) -> Bool { address.ipAddress.map { self.ownAddresses.contains($0) } ?? false }

    /// Whether the address belongs to the link of the interface, or to this machine.
    func contains(_ address: SocketAddress, on interface: String) -> Bool {
        if self.isOwn(address) { return true }
        switch Multiaddr(ip: address)?.components.last {
        case .ip4(let ip): return ip.scope == .linkLocal || (self.networks4[interface] ?? []).contains { $0.contains(ip) }
        case .ip6(let ip): return ip.scope == .linkLocal || (self.networks6[interface] ?? []).contains { $0.contains(ip) }
        default: return false
        }
    }
}
