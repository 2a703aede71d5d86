import DIGMultiformats

/// The public half of a member's key: a point of secp256k1, whatever kind of key the member's identity is.
///
/// Written as 66 hexadecimal digits, the way wallets write a compressed public key.
public struct MemberKey: Hashable, Sendable {
    /// 33 bytes, compressed (SEC 1 §2.3.3).
    public let bytes: [UInt8]

    /// The bytes have been checked.
    init(checked bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Takes 33 bytes, or the 65 of the uncompressed form.
    ///
    /// - Throws: ``IdentityError`` with `.invalidPublicKey` if they are no point of the curve.
    public init(bytes: some Collection<UInt8>) throws(IdentityError) {
        guard let compressed = Secp256k1.compress(Array(bytes)) else {
            throw IdentityError(.invalidPublicKey, "a member key is a point of secp256k1 in 33 bytes")
        }
        self.bytes = compressed
    }

    /// Takes the key of a wallet, which is a member key as it is. Its owner need not be asked.
    ///
    /// - Throws: ``IdentityError`` with `.unsupportedKey` for other kinds of key: their owners have a member key beside them, which they have to
    ///   tell (``MemberKeyPair/init(_:)``).
    public init(_ publicKey: PublicKey) throws(IdentityError) {
        guard publicKey.algorithm == .secp256k1 else {
            throw IdentityError(.unsupportedKey, "the owner of the \(publicKey.algorithm.rawValue) key has to tell the member key that belongs to it")
        }
        self.bytes = publicKey.rawRepresentation
    }
}

extension MemberKey: LosslessStringConvertible {
    /// Parses hexadecimal, with or without `0x`.
    public init?(_ description: String) {
        guard description.utf8.count <= 132, let bytes = HexadecimalText.bytes(description), let compressed = Secp256k1.compress(bytes) else { return nil }
        self.bytes = compressed
    }

    public var description: String { Base16.encode(self.bytes) }
}

extension MemberKey: Comparable {
    /// In the order of the bytes, in which a ring has its members.
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.bytes.lexicographicallyPrecedes(rhs.bytes) }
}
