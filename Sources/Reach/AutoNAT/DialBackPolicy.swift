import DIGIdentity
public import DIGMultiformats
public import DIGNet
import NIOCore

/// Which addresses a server dials because a peer asks for it.
///
/// Whatever the closures say, an address counts only if it begins with an IP address and a port that is not zero, leads through no relay, and
/// names nobody but the asker: what a name stands for could change between the check and the dial.
public struct DialBackPolicy: Sendable {
    /// Whether everybody can reach the address, and whether the asker is one of everybody. ``DIGNet/AddressPolicy`` unless something else is
    /// put here; the swarm checks again.
    public var isPublic: @Sendable (Multiaddr) -> Bool
    /// Whether this machine is able to dial the address: a failed dial has to be the asker's fault.
    public var canDial: @Sendable (Multiaddr) -> Bool

    public init(
        isPublic: @escaping @Sendable (Multiaddr) -> Bool = { AddressPolicy().isPublic($0) },
        canDial: @escaping @Sendable (Multiaddr) -> Bool = { DialBackPolicy.isPlainTCP($0) && DialBackPolicy.hasAddress(like: $0) }
    ) {
        self.isPublic = isPublic
        self.canDial = canDial
    }

    /// Whether `address` is `/ip4/…/tcp/…` or `/ip6/…/tcp/…` and nothing more.
    public static func isPlainTCP(_ address: Multiaddr) -> Bool {
        guard let endpoint = TransportEndpoint(address), endpoint.transport == .tcp else { return false }
        return address.removingPeerID().components.count == 2
    }

    /// Whether an interface of this machine has an address of the same family that reaches beyond the link (autonat v2: "Servers SHOULD determine
    /// whether they have IPv6 and IPv4 connectivity").
    public static func hasAddress(like address: Multiaddr) -> Bool {
        guard let host = HostAddress(address) else { return false }
        let devices: [NIONetworkDevice]
        do { devices = try System.enumerateDevices() } catch { return false }
        return devices.contains { device in
            guard let own = device.address.flatMap({ Multiaddr(ip: $0) }), let ownHost = HostAddress(own) else { return false }
            switch (host, ownHost) {
            case (.ip4, .ip4(let ip)): return ![.loopback, .linkLocal].contains(ip.scope)
            case (.ip6, .ip6(let ip)): return ![.loopback, .linkLocal, .private].contains(ip.scope)
            default: return false
            }
        }
    }

    /// The address to dial for `peer`, without `/p2p/…`; nil if it may not or can't be dialed.
    func accepted(_ address: Multiaddr, for peer: PeerID) -> Multiaddr? {
        if let named = address.peerID, named != peer { return nil }
        let plain = address.removingPeerID()
        guard let endpoint = TransportEndpoint(plain), endpoint.port != 0 else { return nil }
        guard !plain.components.contains(where: { if case .p2p = $0 { true } else { false } }) else { return nil }
        guard self.isPublic(plain), self.canDial(plain) else { return nil }
        return plain
    }
}
