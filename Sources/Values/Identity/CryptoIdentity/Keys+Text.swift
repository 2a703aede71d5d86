extension KeyPair {
    /// Reads a private key as ``CryptoIdentity`` takes it.
    init(_ algorithm: KeyAlgorithm, text: String) throws(IdentityError) {
        if text.contains("-----BEGIN") {
            try self.init(pem: text)
            guard self.algorithm == algorithm else {
                throw IdentityError(.invalidPrivateKey, "the private key is not one for \(algorithm.rawValue) but for \(self.algorithm.rawValue)")
            }
            return
        }
        guard let bytes = HexadecimalText.bytes(text) else {
            throw IdentityError(.invalidPrivateKey, "the private key is not hexadecimal")
        }
        switch algorithm {
        case .ed25519 where bytes.count == 32: try self.init(ed25519Seed: bytes)
        case .ed25519: try self.init(ed25519: bytes)
        case .secp256k1: try self.init(secp256k1PrivateKey: bytes)
        case .rsa: try self.init(rsaDER: bytes)
        case .ecdsa: try self.init(ecdsaDER: bytes)
        }
    }
}

extension PublicKey {
    /// Reads a public key as ``CryptoIdentity`` takes it.
    init(_ algorithm: KeyAlgorithm, text: String) throws(IdentityError) {
        if text.contains("-----BEGIN") {
            try self.init(pem: text)
            guard self.algorithm == algorithm else {
                throw IdentityError(.invalidPublicKey, "the public key is not one for \(algorithm.rawValue) but for \(self.algorithm.rawValue)")
            }
            return
        }
        guard let bytes = HexadecimalText.bytes(text) else {
            throw IdentityError(.invalidPublicKey, "the public key is not hexadecimal")
        }
        if algorithm == .secp256k1 {
            try self.init(secp256k1: bytes)
        } else {
            try self.init(algorithm, rawRepresentation: bytes)
        }
    }
}
