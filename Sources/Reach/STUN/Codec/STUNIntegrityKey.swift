import Crypto

/// What protects a message (RFC 8489 §9).
///
/// Names and passwords are taken as they are: preparing them (OpaqueString, RFC 8265) is for whoever reads them from a person.
public struct STUNIntegrityKey: Hashable, Sendable {
    var bytes: [UInt8]

    public init(bytes: [UInt8]) { self.bytes = bytes }

    /// §9.1.1: the password itself.
    public static func shortTerm(password: String) -> Self {
        Self(bytes: Array(password.utf8))
    }

    /// §18.5.1: hash of `name:realm:password`. Nil for an algorithm other than MD5 and SHA-256.
    public static func longTerm(username: String, realm: String, password: String, algorithm: STUNPasswordAlgorithm = .md5) -> Self? {
        let text = Array("\(username):\(realm):\(password)".utf8)
        switch algorithm.number {
        case STUNPasswordAlgorithm.md5.number: return Self(bytes: Array(Insecure.MD5.hash(data: text)))
        case STUNPasswordAlgorithm.sha256.number: return Self(bytes: Array(SHA256.hash(data: text)))
        default: return nil
        }
    }

    var symmetricKey: SymmetricKey { SymmetricKey(data: self.bytes) }
}
