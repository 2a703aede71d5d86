public import DIGIdentity
public import DIGNet

/// A circuit that ends at this node.
public struct Circuit: Sendable, Hashable {
    public var relay: PeerID
    /// Whom the relay names as the other end; the handshake inside proves it.
    public var peer: PeerID
    public var role: ConnectionRole
    /// What the relay says that the circuit may carry; ``RelayLimit/unlimited`` if it says nothing.
    public var limit: RelayLimit
}
