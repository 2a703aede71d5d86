public import DIGMultiformats

/// What a server found out about the addresses it was asked about.
public enum AutoNATv2Result: Hashable, Sendable {
    /// The nonce arrived over a new connection.
    ///
    /// - index: Of the target that was dialed.
    /// - from: Where the connection came from.
    case reachable(index: Int, from: Multiaddr)
    /// The server could not connect to the target.
    case unreachable(index: Int)
    /// The server dials none of the targets.
    case refused
}
