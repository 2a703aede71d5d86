public import DIGIdentity
public import DIGMultiformats

/// A peer that peer exchange knows.
public struct PeerExchangePeer: Hashable, Sendable {
    public var peer: PeerID
    /// As the peer signed them, where it has; at most 16.
    public var addresses: [Multiaddr]
    public var isConnected: Bool
    /// This node has met it, so it is passed on to others. False: known from others only.
    public var isFirstHand: Bool
    /// Connected peers that vouch for it.
    public var sourceCount: Int
}
