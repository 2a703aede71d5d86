import DIGMultiformats

/// The part of an address that a NAT changes: IP address, transport and port.
struct TransportEndpoint: Hashable, Sendable {
    enum Transport: Hashable, Sendable {
        case tcp
        case udp
    }

    var host: HostAddress
    var transport: Transport
    var port: UInt16

    init(host: HostAddress, transport: Transport, port: UInt16) {
        self.host = host
        self.transport = transport
        self.port = port
    }

    /// Nil if `address` does not begin with an IP address and a port, or leads through a relay.
    init?(_ address: Multiaddr) {
        guard let host = HostAddress(address), !address.components.contains(.p2pCircuit) else { return nil }
        switch address.components.dropFirst().first {
        case .tcp(let port): self.init(host: host, transport: .tcp, port: port)
        case .udp(let port): self.init(host: host, transport: .udp, port: port)
        default: return nil
        }
    }

    var components: [Multiaddr.Component] {
        [self.host.component, self.transport == .tcp ? .tcp(self.port) : .udp(self.port)]
    }

    /// This endpoint with what `other` has after its own.
    func address(like other: Multiaddr) -> Multiaddr {
        Multiaddr(components: self.components + other.components.dropFirst(2))
    }

    /// Whether what arrives at `self`, an address of this machine, was meant for `listening`, which may be a wildcard.
    func isCovered(by listening: TransportEndpoint) -> Bool {
        guard self.transport == listening.transport, self.port == listening.port else { return false }
        return self.host == listening.host || (listening.host.isUnspecified && listening.host.isIPv4 == self.host.isIPv4)
    }
}
