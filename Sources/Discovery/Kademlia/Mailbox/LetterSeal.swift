import Crypto
import DIGIdentity
import Foundation

/// Closes the content of a letter so that only its recipient can read it, and nobody can tell from the bytes who wrote it.
///
/// HPKE in base mode (RFC 9180): a fresh X25519 key for each letter, HKDF-SHA256, ChaCha20-Poly1305. `info` is ``info``; the additional data are
/// the names of sender and recipient, each behind its length, so that a sealed text is worthless in another letter. The text is filled up to a
/// multiple of 256 bytes, because its length would tell what kind of message it is.
enum LetterSeal {
    static let info = Data("dig-dht-letter-v1".utf8)
    static let paddingByteCount = 256
    private static let suite = HPKE.Ciphersuite.Curve25519_SHA256_ChachaPoly

    /// - Throws: CryptoKit's errors, for a key that is none.
    static func close(
        _ text: [UInt8], for key: Curve25519.KeyAgreement.PublicKey, from sender: PeerID, to recipient: PeerID
    ) throws -> (encapsulatedKey: [UInt8], ciphertext: [UInt8]) {
        var hpke = try HPKE.Sender(recipientKey: key, ciphersuite: Self.suite, info: Self.info)
        let ciphertext = try hpke.seal(Self.padded(text), authenticating: Self.names(sender, recipient))
        return (Array(hpke.encapsulatedKey), Array(ciphertext))
    }

    /// - Throws: If the letter was not sealed for `key`, or by another sender than it says.
    static func open(_ letter: Letter, with key: Curve25519.KeyAgreement.PrivateKey) throws -> [UInt8] {
        var hpke = try HPKE.Recipient(privateKey: key, ciphersuite: Self.suite, info: Self.info, encapsulatedKey: Data(letter.encapsulatedKey))
        let text = try hpke.open(Data(letter.ciphertext), authenticating: Self.names(letter.sender, letter.recipient))
        return try Self.unpadded(Array(text))
    }

    private static func names(_ sender: PeerID, _ recipient: PeerID) -> Data {
        var bytes = Data()
        for name in [sender, recipient] {
            bytes.append(UInt8(truncatingIfNeeded: name.bytes.count))
            bytes.append(contentsOf: name.bytes)
        }
        return bytes
    }

    private static func padded(_ text: [UInt8]) -> Data {
        var bytes = Data([UInt8(truncatingIfNeeded: text.count >> 8), UInt8(truncatingIfNeeded: text.count)])
        bytes.append(contentsOf: text)
        let excess = bytes.count % Self.paddingByteCount
        if excess > 0 { bytes.append(contentsOf: repeatElement(0, count: Self.paddingByteCount - excess)) }
        return bytes
    }

    private static func unpadded(_ bytes: [UInt8]) throws -> [UInt8] {
        guard bytes.count >= 2 else { throw ValueError.malformed }
        let count = Int(bytes[0]) << 8 | Int(bytes[1])
        guard count <= bytes.count - 2 else { throw ValueError.malformed }
        return Array(bytes[2..<(2 + count)])
    }
}
