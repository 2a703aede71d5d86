import DIGMultiformats

/// A wallet's signature of a message for people: `personal_sign`, EIP-191 version 0x45.
///
/// The prefix that is signed with the message keeps it apart from transactions. The signature gives away the key that made it.
public struct EthereumSignature: Hashable, Sendable, CustomStringConvertible {
    public static let byteCount = 65

    let recoverable: Secp256k1.RecoverableSignature

    init(_ recoverable: Secp256k1.RecoverableSignature) {
        self.recoverable = recoverable
    }

    /// Takes r, s and v: 32, 32 and 1 bytes. v is 27 or 28, or 0 or 1 as hardware wallets write it.
    ///
    /// - Throws: ``IdentityError`` with `.invalidSignature`, also for a high s (EIP-2): wallets make none, and each would be a second form of a
    ///   signature.
    public init(bytes: some Collection<UInt8>) throws(IdentityError) {
        let bytes = Array(bytes)
        guard bytes.count == Self.byteCount else { throw Self.invalid("an Ethereum signature has 65 bytes, not \(bytes.count)") }
        let recoveryID: Int
        switch bytes[64] {
        case 0, 27: recoveryID = 0
        case 1, 28: recoveryID = 1
        default: throw Self.invalid("the last byte of an Ethereum signature is 27 or 28, not \(bytes[64])")
        }
        let compact = Array(bytes[..<64])
        guard Secp256k1.hasHighS(compact: compact) == false else { throw Self.invalid("the numbers of the signature are out of range") }
        self.recoverable = .init(compact: compact, recoveryID: recoveryID)
    }

    /// Takes 130 hexadecimal digits, with or without `0x`.
    public init(_ text: String) throws(IdentityError) {
        guard text.utf8.count <= 2 * Self.byteCount + 2, let bytes = HexadecimalText.bytes(text) else { throw Self.invalid("not hexadecimal") }
        try self.init(bytes: bytes)
    }

    /// r, s and v, with v 27 or 28.
    public var bytes: [UInt8] { self.recoverable.compact + [27 + UInt8(self.recoverable.recoveryID)] }

    /// Hexadecimal with `0x`.
    public var description: String { "0x" + Base16.encode(self.bytes) }

    /// The key that made the signature, if it was made over `message`. Over another message it is some key that nobody has, so the result has
    /// to be compared with a key or an address that was known before.
    ///
    /// - Throws: ``IdentityError`` with `.invalidSignature` if no key can have made it.
    public func signer(of message: some Collection<UInt8>) throws(IdentityError) -> PublicKey {
        guard let key = Secp256k1.recover(self.recoverable, digest: Self.digest(of: message)) else {
            throw Self.invalid("no key makes this signature")
        }
        return PublicKey(.secp256k1, checked: key)
    }

    /// Whether the account signed `message`.
    public func isValid(for message: some Collection<UInt8>, by address: EthereumAddress) -> Bool {
        do throws(IdentityError) { return EthereumAddress(try self.signer(of: message)) == address } catch { return false }
    }

    /// Whether the key signed `message`.
    public func isValid(for message: some Collection<UInt8>, by publicKey: PublicKey) -> Bool {
        do throws(IdentityError) { return try self.signer(of: message) == publicKey } catch { return false }
    }

    /// EIP-191: Keccak-256 of 0x19, `Ethereum Signed Message:`, a line feed, the message's length in decimal and the message.
    static func digest(of message: some Collection<UInt8>) -> [UInt8] {
        Keccak256.hash(Array("\u{19}Ethereum Signed Message:\n\(message.count)".utf8) + message)
    }

    private static func invalid(_ message: String) -> IdentityError { IdentityError(.invalidSignature, message) }
}

extension KeyPair {
    /// Signs a message as an Ethereum wallet does on `personal_sign` (EIP-191).
    ///
    /// - Throws: ``IdentityError`` with `.unsupportedKey` unless the key is secp256k1.
    public func signEthereumMessage(_ message: some Collection<UInt8>) throws(IdentityError) -> EthereumSignature {
        EthereumSignature(try self.signRecoverable(digest: EthereumSignature.digest(of: message)))
    }
}
