/// Bytes are no STUN message.
public enum STUNDecodingError: Error, Hashable, Sendable {
    /// Shorter than its header says, or than a header.
    case truncated
    /// The first bits or the magic cookie are not STUN's.
    case notSTUN
    /// The length is no multiple of four, or something follows the message.
    case invalidLength
    /// More bytes or attributes than are ever needed.
    case limitExceeded
    /// An attribute's value is not what its type says.
    case invalidAttribute(STUNAttributeType)
    /// Something follows the fingerprint.
    case fingerprintNotLast
}
