/// Why a Noise handshake or frame was refused. The `cause` of the ``/DIGNet/ConnectionError`` that callers see.
package enum NoiseError: Error, Hashable, Sendable {
    /// A message is shorter than the keys and tags it must contain, or a frame shorter than its tag.
    case truncated
    /// A handshake message exceeds the limit.
    case tooLong
    /// A message came when none was due.
    case unexpectedMessage
    /// A tag does not match: altered, reordered, replayed or sealed with another key.
    case decryptionFailed
    /// The cipher refused to seal: a fault of this process.
    case encryptionFailed
    /// A Diffie-Hellman result is all zero: the peer sent a point of low order.
    case lowOrderKey
    /// 2⁶⁴ - 1 frames were sealed with one key. libp2p has no rekeying.
    case nonceExhausted
    /// The handshake payload is not the protobuf it must be, or lacks the key or the signature.
    case invalidPayload
    /// The identity key in the payload is no valid key.
    case invalidIdentityKey
    /// The identity key did not sign the static key.
    case invalidSignature
    /// The key proven is not that of the peer expected.
    case peerMismatch
    /// Both sides named their multiplexers and none is common.
    case noCommonMuxer
    /// Our own identity could not sign.
    case signingFailed
}
