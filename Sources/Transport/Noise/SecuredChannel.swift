public import DIGIdentity
public import DIGNet

/// What a handshake has proven about the peer behind a channel.
public struct SecuredChannel: Hashable, Sendable {
    public var remotePeer: PeerID
    /// Belongs to ``remotePeer``; signed the key that the channel is encrypted with.
    public var remotePublicKey: PublicKey
    /// The multiplexer both sides named during the handshake; `nil` if it is still to be negotiated.
    public var earlyMuxer: ProtocolID?
    /// The same 32 bytes at both ends, different for every channel (Noise §11.2, channel binding).
    public var handshakeHash: [UInt8]
}
