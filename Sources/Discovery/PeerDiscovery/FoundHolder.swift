public import DIGIdentity
public import DIGMultiformats

/// A peer as one mechanism has found it.
public struct FoundHolder: Hashable, Sendable {
    public var peer: PeerID
    /// May be empty: then whoever connects has to find out.
    public var addresses: [Multiaddr]
    /// The peer, or somebody on its behalf, says that it has the content. False: it is merely there, and may have it.
    public var isClaimed: Bool
    /// The peer has signed this. Otherwise it is hearsay.
    public var isSigned: Bool

    public init(_ peer: PeerID, addresses: [Multiaddr], isClaimed: Bool = true, isSigned: Bool = false) {
        self.peer = peer
        self.addresses = addresses
        self.isClaimed = isClaimed
        self.isSigned = isSigned
    }
}
