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
            case encryptedKey, unsupportedKey, invalidKeystore, wrongPassword
            case invalidRing, notAMember, invalidProof, unknownChallenge
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
        /// The private key is encrypted in a way that is not read here. The message says how to get one that is.
        public static let encryptedKey = Self(value: .encryptedKey)
        /// The key is well-formed but of a kind, curve or parameters that are not used here.
        public static let unsupportedKey = Self(value: .unsupportedKey)
        /// The text is not a keystore of version 3, or one beyond the limits.
        public static let invalidKeystore = Self(value: .invalidKeystore)
        /// The keystore does not open with this password. Nothing is known of the key.
        public static let wrongPassword = Self(value: .wrongPassword)
        /// The keys make no ring: none, too many, one of them twice, or one that cannot be a member's.
        public static let invalidRing = Self(value: .invalidRing)
        /// The key is none of the ring's.
        public static let notAMember = Self(value: .notAMember)
        /// The proof was not made by a member of this ring over this challenge.
        public static let invalidProof = Self(value: .invalidProof)
        /// The challenge was not made here for this peer, has been answered, or has expired. A new one may be asked for.
        public static let unknownChallenge = Self(value: .unknownChallenge)
    }
}
