import CSecp256k1

/// ECDSA on secp256k1, by libsecp256k1.
enum Secp256k1 {
    static let privateKeyByteCount = 32
    static let compressedKeyByteCount = 33
    static let uncompressedKeyByteCount = 65
    /// SEQUENCE of two INTEGERs of at most 33 bytes each.
    private static let maximumSignatureByteCount = 72

    /// The compressed form of a key of 33 or 65 bytes, `nil` if it is no point of the curve.
    static func compress(_ publicKey: [UInt8]) -> [UInt8]? {
        guard var key = Self.parse(publicKey) else { return nil }
        return Self.serialize(&key, isCompressed: true)
    }

    /// The uncompressed form of a key of 33 or 65 bytes, `nil` if it is no point of the curve.
    static func uncompress(_ publicKey: [UInt8]) -> [UInt8]? {
        guard var key = Self.parse(publicKey) else { return nil }
        return Self.serialize(&key, isCompressed: false)
    }

    /// Whether the bytes are a number from 1 to the order of the curve less one.
    static func isPrivateKey(_ bytes: [UInt8]) -> Bool {
        bytes.count == Self.privateKeyByteCount && secp256k1_ec_seckey_verify(Secp256k1Context.shared.pointer, bytes) == 1
    }

    /// The compressed public key.
    static func publicKey(of privateKey: [UInt8]) -> [UInt8]? {
        guard Self.isPrivateKey(privateKey) else { return nil }
        var key = secp256k1_pubkey()
        guard secp256k1_ec_pubkey_create(Secp256k1Context.shared.pointer, &key, privateKey) == 1 else { return nil }
        return Self.serialize(&key, isCompressed: true)
    }

    /// A DER signature with low s and the nonce of RFC 6979; `digest` has 32 bytes.
    static func sign(digest: [UInt8], privateKey: [UInt8]) -> [UInt8]? {
        guard digest.count == 32, Self.isPrivateKey(privateKey) else { return nil }
        let context = Secp256k1Context.shared.pointer
        var signature = secp256k1_ecdsa_signature()
        guard secp256k1_ecdsa_sign(context, &signature, digest, privateKey, nil, nil) == 1 else { return nil }
        var der = [UInt8](repeating: 0, count: Self.maximumSignatureByteCount)
        var byteCount = der.count
        guard secp256k1_ecdsa_signature_serialize_der(context, &der, &byteCount, &signature) == 1 else { return nil }
        return Array(der.prefix(byteCount))
    }

    /// Whether the DER signature, with either s, is one of `digest`.
    static func isValidSignature(_ der: [UInt8], digest: [UInt8], publicKey: [UInt8]) -> Bool {
        guard digest.count == 32, !der.isEmpty, der.count <= Self.maximumSignatureByteCount, var key = Self.parse(publicKey) else {
            return false
        }
        let context = Secp256k1Context.shared.pointer
        var parsed = secp256k1_ecdsa_signature()
        guard secp256k1_ecdsa_signature_parse_der(context, &parsed, der, der.count) == 1 else { return false }
        // The library takes low s only; other implementations make and take both.
        var normalized = secp256k1_ecdsa_signature()
        _ = secp256k1_ecdsa_signature_normalize(context, &normalized, &parsed)
        return secp256k1_ecdsa_verify(context, &normalized, digest, &key) == 1
    }

    /// Hybrid forms (first byte 6 or 7) are refused: nobody uses them and they would be a second encoding.
    static func parse(_ publicKey: [UInt8]) -> secp256k1_pubkey? {
        switch (publicKey.count, publicKey.first) {
        case (Self.compressedKeyByteCount, 2), (Self.compressedKeyByteCount, 3), (Self.uncompressedKeyByteCount, 4): break
        default: return nil
        }
        var key = secp256k1_pubkey()
        guard secp256k1_ec_pubkey_parse(Secp256k1Context.shared.pointer, &key, publicKey, publicKey.count) == 1 else { return nil }
        return key
    }

    static func serialize(_ key: inout secp256k1_pubkey, isCompressed: Bool) -> [UInt8] {
        var byteCount = isCompressed ? Self.compressedKeyByteCount : Self.uncompressedKeyByteCount
        var bytes = [UInt8](repeating: 0, count: byteCount)
        // Cannot fail: the buffer fits and the key was parsed or made by the library.
        _ = secp256k1_ec_pubkey_serialize(
            Secp256k1Context.shared.pointer, &bytes, &byteCount, &key,
            UInt32(isCompressed ? SECP256K1_EC_COMPRESSED : SECP256K1_EC_UNCOMPRESSED))
        return bytes
    }
}
