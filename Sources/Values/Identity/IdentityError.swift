/// A key, a name made from a key, or something signed with one is not acceptable.
public struct IdentityError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Switch on this.
    public var code: Code
    /// For a person; never parsed, never with private key material.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { self.message }

    public static func == (lhs: Self, rhs: Self) -> Bool { lhs.code == rhs.code }
    public func hash(into hasher: inout Hasher) { hasher.combine(self.code) }

    public struct Code: Hashable, Sendable {
        private enum Value {
            case invalidPublicKey, invalidPrivateKey, keyMismatch, noPrivateKey, signingFailed
            case invalidPeerID, invalidNodeID, invalidEnvelope, invalidSignature, invalidRecord, signerMismatch
        }
        private let value: Value
        /// The bytes are not a public key of a known algorithm and an accepted size, in its one encoding.
        public static let invalidPublicKey = Self(value: .invalidPublicKey)
        /// The bytes are not a private key of a known algorithm and an accepted size.
        public static let invalidPrivateKey = Self(value: .invalidPrivateKey)
        /// The public key given does not belong to the private key given.
        public static let keyMismatch = Self(value: .keyMismatch)
        /// The identity can only verify: it was made without a private key.
        public static let noPrivateKey = Self(value: .noPrivateKey)
        /// The cryptographic library refused to sign.
        public static let signingFailed = Self(value: .signingFailed)
        /// The text or bytes name no peer.
        public static let invalidPeerID = Self(value: .invalidPeerID)
        /// The text is not the 64 hexadecimal digits of a node id.
        public static let invalidNodeID = Self(value: .invalidNodeID)
        /// The bytes are not a signed envelope, or one of another type or beyond the limits.
        public static let invalidEnvelope = Self(value: .invalidEnvelope)
        /// The signature is not the key's signature of this content in this domain. Discard the content unread.
        public static let invalidSignature = Self(value: .invalidSignature)
        /// The signed content is not a record of its type, or one beyond the limits.
        public static let invalidRecord = Self(value: .invalidRecord)
        /// Correctly signed, but by somebody else than the one it speaks for.
        public static let signerMismatch = Self(value: .signerMismatch)
    }
}
