import DIGMultiformats
import NIOCore

/// The default router of one address family.
struct Gateway: Hashable, Sendable, CustomStringConvertible {
    var address: IPAddress
    /// The interface that leads to it.
    var interface: String
    /// This machine's address towards the internet by this gateway.
    var localAddress: IPAddress

    var family: AddressFamily { self.address.family }

    /// With the zone, when the address needs one.
    var components: [Multiaddr.Component] {
        if case .v6(let ip) = self.address, ip.scope == .linkLocal, !self.interface.isEmpty { return [.ip6zone(self.interface), .ip6(ip)] }
        return [self.address.component]
    }

    var multiaddr: Multiaddr { Multiaddr(components: self.components) }
    var description: String { self.interface.isEmpty ? "\(self.address)" : "\(self.address) on \(self.interface)" }
}
