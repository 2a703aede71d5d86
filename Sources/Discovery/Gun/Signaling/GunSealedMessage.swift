import Crypto
import DIGIdentity
import DIGMultiformats
import Foundation

/// A message that only its recipient can read: sealed with ChaCha20-Poly1305 (RFC 8439) under a key agreed on between an X25519 key made for this
/// message alone and the recipient's.
///
/// ```
/// | version 1 | expires, ms, 8 bytes big-endian | ephemeral key, 32 bytes | ciphertext, padded | tag, 16 bytes |
/// ```
///
/// in base64url. The padding (a byte 0x80 and zeros up to a multiple of 256) hides how long the message is; nothing names the sender. Who wrote it
/// the message itself has to prove.
enum GunSealedMessage {
    static let version: UInt8 = 1
    static let maximumPlaintextByteCount = 24 * 1024
    /// Further ahead nobody may ask to be remembered.
    static let maximumLifetime: Duration = .seconds(600)
    static let maximumTextByteCount = 34 * 1024
    static let slotByteCount = 9...32
    private static let headByteCount = 1 + 8
    private static let keyByteCount = 32
    private static let paddingByteCount = 256
    private static let info = Data("dig-gun-signaling-v1".utf8)

    enum SealError: Error, Hashable {
        case tooLong
        case malformed
        case expired
        /// Not for this key, or changed on the way.
        case unreadable
    }

    /// - Parameter expires: Milliseconds since 1970.
    static func seal(_ plaintext: [UInt8], to publicKey: [UInt8], of recipient: PeerID, expires: UInt64) throws -> String {
        guard plaintext.count <= Self.maximumPlaintextByteCount else { throw SealError.tooLong }
        let key = try Curve25519.KeyAgreement.PublicKey(rawRepresentation: publicKey)
        let ephemeral = Curve25519.KeyAgreement.PrivateKey()
        let head = [Self.version] + (0..<8).map { UInt8(truncatingIfNeeded: expires >> (56 - 8 * $0)) }
        var padded = plaintext + [0x80]
        padded += [UInt8](repeating: 0, count: (Self.paddingByteCount - padded.count % Self.paddingByteCount) % Self.paddingByteCount)
        let ephemeralBytes = Array(ephemeral.publicKey.rawRepresentation)
        let symmetric = try Self.symmetricKey(ephemeral.sharedSecretFromKeyAgreement(with: key), ephemeralBytes, publicKey)
        // The key is used once: the nonce may be the same each time (RFC 8439 §2.8).
        let box = try ChaChaPoly.seal(
            padded, using: symmetric, nonce: ChaChaPoly.Nonce(data: [UInt8](repeating: 0, count: 12)), authenticating: head + recipient.bytes)
        return Base64URL.encode(head + ephemeralBytes + Array(box.ciphertext) + Array(box.tag))
    }

    /// When the message expires, milliseconds since 1970; nil if it can't be one.
    static func expiry(of text: String) -> UInt64? {
        guard let bytes = Self.bytes(text) else { return nil }
        return bytes[1..<Self.headByteCount].reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func bytes(_ text: String) -> [UInt8]? {
        guard text.utf8.count <= Self.maximumTextByteCount else { return nil }
        let bytes: [UInt8]
        do { bytes = try Base64URL.decode(text) } catch { return nil }
        guard bytes.count >= Self.headByteCount + Self.keyByteCount + Self.paddingByteCount + 16, bytes[0] == Self.version else { return nil }
        return bytes
    }

    static func open(
        _ text: String, with privateKey: Curve25519.KeyAgreement.PrivateKey, as recipient: PeerID, now: Double
    ) throws -> [UInt8] {
        guard let bytes = Self.bytes(text), let expires = Self.expiry(of: text) else { throw SealError.malformed }
        guard Double(expires) > now, Double(expires) <= now + (Self.maximumLifetime + .seconds(120)) / .milliseconds(1) else { throw SealError.expired }
        let head = Array(bytes[..<Self.headByteCount])
        let ephemeral = Array(bytes[Self.headByteCount..<(Self.headByteCount + Self.keyByteCount)])
        let sealed = bytes[(Self.headByteCount + Self.keyByteCount)...]
        do {
            let secret = try privateKey.sharedSecretFromKeyAgreement(with: .init(rawRepresentation: ephemeral))
            let key = Self.symmetricKey(secret, ephemeral, Array(privateKey.publicKey.rawRepresentation))
            let box = try ChaChaPoly.SealedBox(
                nonce: ChaChaPoly.Nonce(data: [UInt8](repeating: 0, count: 12)), ciphertext: Array(sealed.dropLast(16)), tag: Array(sealed.suffix(16)))
            let padded = try ChaChaPoly.open(box, using: key, authenticating: head + recipient.bytes)
            guard let end = padded.lastIndex(where: { $0 != 0 }), padded[end] == 0x80 else { throw SealError.malformed }
            return Array(padded[..<end])
        } catch {
            throw SealError.unreadable
        }
    }

    private static func symmetricKey(_ secret: SharedSecret, _ ephemeral: [UInt8], _ recipient: [UInt8]) -> SymmetricKey {
        secret.hkdfDerivedSymmetricKey(using: SHA256.self, salt: Data(ephemeral + recipient), sharedInfo: Self.info, outputByteCount: 32)
    }

    /// What may stand in a mailbox. Anybody may write there, so that this is all that can be asked.
    static func isPlausible(key: ExactText, _ entry: GunEntry, now: Double) -> Bool {
        guard Self.slotByteCount.contains(key.byteCount) else { return false }
        switch entry.value {
        case .null: return true
        case .text(let text):
            guard let expires = Self.expiry(of: text.string) else { return false }
            return Double(expires) > now && Double(expires) <= now + (Self.maximumLifetime + .seconds(120)) / .milliseconds(1)
        default: return false
        }
    }
}
