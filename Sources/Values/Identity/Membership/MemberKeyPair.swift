import Crypto

/// What a member proves its membership with. Belongs to an identity, and is made from its private key whenever it is needed.
///
/// No description, debug description or mirror shows the private half.
public struct MemberKeyPair: Sendable {
    let secret: [UInt8]
    /// What the one who keeps the list of members has to know.
    public let publicKey: MemberKey

    /// The member key of an identity.
    ///
    /// A secp256k1 key is its own member key. For the other kinds one is derived: HKDF-SHA-256 (RFC 5869) of the private key, so that it
    /// needs no file of its own, and neither key tells anything of the other.
    ///
    /// - Throws: ``IdentityError`` with `.invalidPrivateKey`; not for a key pair that was made or read here.
    public init(_ keyPair: KeyPair) throws(IdentityError) {
        let secret = keyPair.algorithm == .secp256k1 ? try keyPair.secp256k1PrivateKey : Self.derive(from: keyPair)
        guard let publicKey = Secp256k1.publicKey(of: secret) else { throw IdentityError(.invalidPrivateKey, "no member key can be made of this key") }
        self.secret = secret
        self.publicKey = MemberKey(checked: publicKey)
    }

    private static func derive(from keyPair: KeyPair) -> [UInt8] {
        let material = SymmetricKey(data: keyPair.protobufEncoded)
        var number: UInt8 = 0
        while true {
            let secret = HKDF<SHA256>.deriveKey(
                inputKeyMaterial: material, salt: Array("dig-nat-tools/member-key/1".utf8), info: [number], outputByteCount: 32
            ).withUnsafeBytes { Array($0) }
            // All but 2⁻¹²⁸ of the numbers are keys.
            if Secp256k1.isPrivateKey(secret) { return secret }
            number &+= 1
        }
    }
}

extension MemberKeyPair: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "member key \(self.publicKey)" }
    public var debugDescription: String { self.description }
    public var customMirror: Mirror { Mirror(self, children: ["publicKey": self.publicKey]) }
}
