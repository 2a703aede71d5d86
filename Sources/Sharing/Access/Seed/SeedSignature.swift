import DIGContent
import DIGIdentity
import DIGMultiformats

/// Signatures as the seed's JSON messages have them, in hexadecimal.
///
/// Written: Ed25519 over the SHA-256 of the text, secp256k1 over it too, as r‖s in 64 bytes, RSA as PSS over the text. Ed25519 over the text itself and secp256k1
/// in DER are accepted as well. P-256 has no name in this form.
enum SeedSignature {
    static let algorithms: [KeyAlgorithm] = [.secp256k1, .ed25519, .rsa]
    private static let numberByteCount = 32

    static func sign(_ text: [UInt8], with keyPair: KeyPair) throws(IdentityError) -> String {
        switch keyPair.algorithm {
        case .ed25519: return Base16.encode(try keyPair.sign(SHA256Digest(hashing: text).bytes))
        case .secp256k1:
            guard let compact = Self.compact(der: try keyPair.sign(text)) else { throw IdentityError(.signingFailed, "a signature that cannot be read") }
            return Base16.encode(compact)
        case .rsa, .ecdsa: return Base16.encode(try keyPair.signRecord(text))
        }
    }

    static func isValid(_ signature: [UInt8], for text: [UInt8], by key: PublicKey) -> Bool {
        switch key.algorithm {
        case .ed25519: key.isValidSignature(signature, for: SHA256Digest(hashing: text).bytes) || key.isValidSignature(signature, for: text)
        case .secp256k1: key.isValidSignature(signature.count == 2 * Self.numberByteCount ? Self.der(compact: signature) : signature, for: text)
        case .rsa: key.isValidRecordSignature(signature, for: text)
        case .ecdsa: false
        }
    }

    /// RFC 3279 §2.2.3.
    private static func der(compact: [UInt8]) -> [UInt8] {
        let body = [compact.prefix(Self.numberByteCount), compact.suffix(Self.numberByteCount)].flatMap { number -> [UInt8] in
            var bytes = Array(number.drop { $0 == 0 })
            // DER's integers are signed; zero has one byte.
            if (bytes.first ?? 0x80) >= 0x80 { bytes.insert(0, at: 0) }
            return [0x02, UInt8(bytes.count)] + bytes
        }
        return [0x30, UInt8(body.count)] + body
    }

    private static func compact(der: [UInt8]) -> [UInt8]? {
        guard der.count >= 8, der[0] == 0x30, Int(der[1]) == der.count - 2 else { return nil }
        var position = 2
        var result: [UInt8] = []
        for _ in 0..<2 {
            guard position + 2 <= der.count, der[position] == 0x02 else { return nil }
            let end = position + 2 + Int(der[position + 1])
            guard end <= der.count else { return nil }
            let number = der[(position + 2)..<end].drop { $0 == 0 }
            guard number.count <= Self.numberByteCount else { return nil }
            result += [UInt8](repeating: 0, count: Self.numberByteCount - number.count) + number
            position = end
        }
        return position == der.count ? result : nil
    }

    static func bytes(hexadecimal text: String) -> [UInt8]? {
        let digits = text.hasPrefix("0x") ? text.dropFirst(2) : text[...]
        guard digits.utf8.count.isMultiple(of: 2), digits.utf8.count <= 4096, digits.allSatisfy({ $0.isASCII && $0.isHexDigit }) else { return nil }
        do { return try Base16.decode(digits.lowercased()) } catch { return nil }
    }
}
