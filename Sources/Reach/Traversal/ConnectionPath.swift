public import DIGMultiformats

/// How an open connection goes.
public struct ConnectionPath: Hashable, Sendable {
    public var method: TraversalMethod
    /// The peer's end; for a relayed connection the relay's address with `/p2p-circuit`.
    public var address: Multiaddr
    /// How the peer came by that address, by its own word.
    public var origin: AddressOrigin?

    public var isDirect: Bool { !self.method.isRelayed }

    public init(method: TraversalMethod, address: Multiaddr, origin: AddressOrigin?) {
        self.method = method
        self.address = address
        self.origin = origin
    }
}
