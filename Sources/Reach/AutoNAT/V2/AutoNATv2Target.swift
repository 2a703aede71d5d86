public import DIGMultiformats

/// An address of this node about which a server is asked.
public struct AutoNATv2Target: Hashable, Sendable {
    /// What the server is to dial, without `/p2p/…`.
    public var address: Multiaddr
    /// Where connections to ``address`` arrive on this machine, as far as known: a dial-back that arrives elsewhere proves nothing.
    public var listenAddress: Multiaddr?
    /// Whether to pay with up to ``AutoNATv2ClientConfiguration/maximumDialDataByteCount`` for it, where a server asks for that.
    public var isWorthDialData: Bool

    public init(address: Multiaddr, listenAddress: Multiaddr? = nil, isWorthDialData: Bool = true) {
        self.address = address
        self.listenAddress = listenAddress
        self.isWorthDialData = isWorthDialData
    }

    /// Whether a connection that arrived at `local`, an address of this machine, can have been dialed at ``address``.
    ///
    /// With a NAT between the two, family and transport are all that has to agree; without one, or with a known way through it, all does.
    func isConsistent(with local: Multiaddr?) -> Bool {
        guard let local = local.flatMap(TransportEndpoint.init), let dialed = TransportEndpoint(self.address) else { return false }
        guard local.transport == dialed.transport, local.host.isIPv4 == dialed.host.isIPv4 else { return false }
        if local.host == dialed.host { return local.port == dialed.port }
        guard let listening = self.listenAddress.flatMap(TransportEndpoint.init) else { return true }
        return local.isCovered(by: listening)
    }
}
