public import DIGIdentity
public import DIGMultiformats

/// A question for a server.
public struct ReachabilityProbe: Hashable, Sendable {
    /// What came of it.
    public enum Outcome: Hashable, Sendable {
        /// - from: Where the server's connection came from, as far as it was seen.
        case reachable(Multiaddr, from: Multiaddr?)
        case unreachable([Multiaddr])
        /// The server does not dial these targets, or not at a price worth paying.
        case refused([Multiaddr])
        /// Nothing was learnt. The server is left alone for a while.
        case failed
    }

    public var id: UInt64
    public var server: PeerID
    public var serverAddress: Multiaddr
    public var version: AutoNAT.Version
    /// The most wanted first. For a server of version 1 they share one IP address.
    public var targets: [AutoNATv2Target]
}
