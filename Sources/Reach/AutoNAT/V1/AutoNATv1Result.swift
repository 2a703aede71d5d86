public import DIGMultiformats

/// What a server says about this node. Nothing proves it: only the word of several is worth something.
public enum AutoNATv1Result: Hashable, Sendable {
    /// One of the addresses was reached. The server may keep to itself which.
    case reachable(Multiaddr?)
    /// None of the addresses that the server dialed could be reached.
    case unreachable
    /// The server dials none of the addresses, or no more for now.
    case refused
}
