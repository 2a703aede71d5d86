public import DIGIdentity
public import DIGMultiformats
public import DIGNet

/// What a connected peer has said about itself.
public struct IdentifyInfo: Hashable, Sendable {
    public var peer: PeerID
    /// Such as `kubo/0.22.0/`. The peer's word only.
    public var agentVersion: String?
    public var protocolVersion: String?
    /// Where the peer says it listens, without `/p2p/…`. Certified ones first.
    public var listenAddresses: [Multiaddr]
    /// Whether ``listenAddresses`` come from a record that the peer signed.
    public var isCertified: Bool
    /// The address from which the peer sees this node on the connection that was asked.
    public var observedAddress: Multiaddr?
    public var protocols: [ProtocolID]
    /// The signed record as received, to pass on.
    public var signedPeerRecord: [UInt8]?
}
