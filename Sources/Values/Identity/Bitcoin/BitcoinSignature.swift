import Crypto
import Foundation

/// A Bitcoin wallet's signature of a message, as Bitcoin Core's `signmessage` makes it: 65 bytes, written in base 64.
///
/// The signature gives away the key that made it. Addresses are not compared here, keys are.
public struct BitcoinSignature: Hashable, Sendable, CustomStringConvertible {
    public static let byteCount = 65

    /// 27 and the key's number, 4 more for a compressed key, 8 or 12 more for a SegWit address of it (BIP-137).
    public let header: UInt8
    let compact: [UInt8]

    init(_ signature: Secp256k1.RecoverableSignature, isCompressed: Bool) {
        self.header = 27 + UInt8(signature.recoveryID) + (isCompressed ? 4 : 0)
        self.compact = signature.compact
    }

    /// Takes the header, r and s: 1, 32 and 32 bytes.
    ///
    /// - Throws: ``IdentityError`` with `.invalidSignature` for other lengths and for headers outside of 27 to 42.
    public init(bytes: some Collection<UInt8>) throws(IdentityError) {
        let bytes = Array(bytes)
        guard bytes.count == Self.byteCount else { throw Self.invalid("a Bitcoin signature has 65 bytes, not \(bytes.count)") }
        guard (27...42).contains(bytes[0]) else { throw Self.invalid("a Bitcoin signature begins with 27 to 42, not \(bytes[0])") }
        self.header = bytes[0]
        self.compact = Array(bytes[1...])
    }

    /// Takes base 64 with padding: 88 digits.
    public init(_ text: String) throws(IdentityError) {
        guard text.utf8.count == 88, let bytes = Data(base64Encoded: text) else { throw Self.invalid("not base 64") }
        try self.init(bytes: bytes)
    }

    public var bytes: [UInt8] { [self.header] + self.compact }

    /// Whether the signer's address is one of the compressed key.
    public var isCompressed: Bool { self.header >= 31 }

    /// Base 64.
    public var description: String { Data(self.bytes).base64EncodedString() }

    /// The key that made the signature, if it was made over `message`. Over another message it is some key that nobody has, so the result has
    /// to be compared with a key that was known before.
    ///
    /// Both signatures of a pair (s and −s) count, as with Bitcoin Core: wallets before 2014 made either. Never take a signature for a name.
    ///
    /// - Throws: ``IdentityError`` with `.invalidSignature` if no key can have made it.
    public func signer(of message: some Collection<UInt8>) throws(IdentityError) -> PublicKey {
        let signature = Secp256k1.RecoverableSignature(compact: self.compact, recoveryID: Int(self.header - 27) % 4)
        guard let key = Secp256k1.recover(signature, digest: Self.digest(of: message)) else { throw Self.invalid("no key makes this signature") }
        return PublicKey(.secp256k1, checked: key)
    }

    /// Whether the key signed `message`.
    public func isValid(for message: some Collection<UInt8>, by publicKey: PublicKey) -> Bool {
        do throws(IdentityError) { return try self.signer(of: message) == publicKey } catch { return false }
    }

    /// Twice SHA-256 of two strings, each behind its length: `Bitcoin Signed Message:` with a line feed, and the message.
    static func digest(of message: some Collection<UInt8>) -> [UInt8] {
        let magic = Array("Bitcoin Signed Message:\n".utf8)
        let bytes = Self.length(magic.count) + magic + Self.length(message.count) + message
        return Array(SHA256.hash(data: Array(SHA256.hash(data: bytes))))
    }

    /// Bitcoin's CompactSize: one byte up to 252, else 253, 254 or 255 and two, four or eight bytes, little-endian.
    private static func length(_ count: Int) -> [UInt8] {
        func littleEndian(_ byteCount: Int) -> [UInt8] { (0..<byteCount).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) } }
        switch count {
        case ..<253: return littleEndian(1)
        case ...0xffff: return [253] + littleEndian(2)
        case ...0xffff_ffff: return [254] + littleEndian(4)
        default: return [255] + littleEndian(8)
        }
    }

    private static func invalid(_ message: String) -> IdentityError { IdentityError(.invalidSignature, message) }
}

extension KeyPair {
    /// Signs a message as a Bitcoin wallet does.
    ///
    /// - Parameter isCompressed: Whether the address that it will be compared with is one of the compressed key, as all are since 2012.
    /// - Throws: ``IdentityError`` with `.unsupportedKey` unless the key is secp256k1.
    public func signBitcoinMessage(_ message: some Collection<UInt8>, isCompressed: Bool = true) throws(IdentityError) -> BitcoinSignature {
        BitcoinSignature(try self.signRecoverable(digest: BitcoinSignature.digest(of: message)), isCompressed: isCompressed)
    }
}
