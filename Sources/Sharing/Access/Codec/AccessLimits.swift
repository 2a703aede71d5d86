import DIGIdentity

/// Bounds of `/dig/auth/1.0.0`.
enum AccessLimits {
    /// Of one message: the proof of the largest ring, the tokens, and room for the rest.
    static let maximumMessageByteCount = RingSignature.maximumByteCount + maximumTokensByteCount + 4096
    /// In one answer.
    static let maximumTokenCount = 8
    /// All tokens of one answer together.
    static let maximumTokensByteCount = 16_384
    /// RSA of 8,192 bits.
    static let maximumSignatureByteCount = 1024
    static let maximumPeerTextByteCount = 128
    static let channelBindingByteCounts = 32...255
}
