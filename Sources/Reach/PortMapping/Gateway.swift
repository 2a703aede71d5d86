import DIGMultiformats
import NIOCore

/// The default router of one address family.
struct Gateway: Hashable, Sendable, CustomStringConvertible {
    var address: IPAddress
    /// The interface that leads to it.
    var interface: String
    /// This machine's address towards the internet by this gateway.
    var localAddress: IPAddress
    /// Networks that this machine is directly connected to, for IPv4.
    var connectedNetworks: [IPv4Network] = []

    var family: AddressFamily { self.address.family }

    /// Whether mappings made at one are those of the other: the same router, reached from the same address.
    func isSameWay(as other: Self) -> Bool {
        self.address == other.address && self.interface == other.interface && self.localAddress == other.localAddress
    }

    /// With the zone, when the address needs one.
    var components: [Multiaddr.Component] {
        if case .v6(let ip) = self.address, ip.scope == .linkLocal, !self.interface.isEmpty { return [.ip6zone(self.interface), .ip6(ip)] }
        return [self.address.component]
    }

    var multiaddr: Multiaddr { Multiaddr(components: self.components) }
    var description: String { self.interface.isEmpty ? "\(self.address)" : "\(self.address) on \(self.interface)" }

    func isConnected(_ address: IPv4Address) -> Bool { self.connectedNetworks.contains { $0.contains(address) } }
}

/// An IPv4 prefix.
struct IPv4Network: Hashable, Sendable {
    var address: IPv4Address
    var mask: UInt32

    func contains(_ other: IPv4Address) -> Bool { self.mask != 0 && other.rawValue & self.mask == self.address.rawValue & self.mask }
}
