/// Which attribute protects a message.
public enum STUNIntegrity: Hashable, Sendable {
    /// MESSAGE-INTEGRITY, HMAC-SHA1 (RFC 8489 §14.5).
    case sha1
    /// MESSAGE-INTEGRITY-SHA256, 32 bytes (§14.6). Shorter ones, at least 16 bytes, are accepted.
    case sha256

    var type: STUNAttributeType {
        switch self {
        case .sha1: .messageIntegrity
        case .sha256: .messageIntegritySHA256
        }
    }
}
