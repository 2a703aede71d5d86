/// What passed a ``UDPEndpoint`` since it was bound.
public struct UDPStatistics: Hashable, Sendable {
    public var received: UInt64 = 0
    public var sent: UInt64 = 0
    /// Received, but of no known protocol, or nobody wanted it.
    public var unclaimed: UInt64 = 0
    /// Not sent because too many were waiting for the kernel.
    public var overflowed: UInt64 = 0
    /// Not sent because the system refused: no route, a firewall's rule, too long. Nothing else comes of it.
    public var refused: UInt64 = 0
    /// Errors reported by the network for datagrams sent earlier, such as a port where nobody listens.
    public var errorsIgnored: UInt64 = 0

    public init() {}
}
