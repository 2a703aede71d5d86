/// The kinds of key that libp2p knows (peer-ids, "Keys").
public enum KeyAlgorithm: String, Hashable, Sendable, CaseIterable, Codable {
    /// RSASSA-PKCS1-v1_5 with SHA-256, 2,048 to 8,192 bits.
    case rsa
    /// RFC 8032. What a new identity gets.
    case ed25519
    /// ECDSA with SHA-256 on the curve of Bitcoin and Ethereum.
    case secp256k1
    /// ECDSA with SHA-256 on NIST P-256.
    case ecdsa

    /// libp2p peer-ids, `enum KeyType`.
    package var number: UInt8 {
        switch self {
        case .rsa: 0
        case .ed25519: 1
        case .secp256k1: 2
        case .ecdsa: 3
        }
    }

    package init?(number: UInt8) {
        guard let known = Self.allCases.first(where: { $0.number == number }) else { return nil }
        self = known
    }
}
