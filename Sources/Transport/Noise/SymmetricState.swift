import Crypto

/// Chaining key and transcript hash of a handshake (Noise §5.2), with SHA-256.
struct SymmetricState: Sendable {
    private var cipher: CipherState?
    private var chainingKey: [UInt8]
    private(set) var hash: [UInt8]

    init(protocolName: String) {
        var name = Array(protocolName.utf8)
        if name.count > SHA256.byteCount {
            name = Array(SHA256.hash(data: name))
        } else {
            name += [UInt8](repeating: 0, count: SHA256.byteCount - name.count)
        }
        self.hash = name
        self.chainingKey = name
    }

    mutating func mixHash(_ data: some Sequence<UInt8>) {
        self.hash = Array(SHA256.hash(data: self.hash + data))
    }

    mutating func mixKey(_ input: SymmetricKey) {
        let (chainingKey, key) = self.derive(input)
        self.chainingKey = chainingKey
        self.cipher = CipherState(key: SymmetricKey(data: key))
    }

    /// Leaves the plaintext as it is until a key was mixed in.
    mutating func encryptAndHash(_ plaintext: [UInt8]) throws(NoiseError) -> [UInt8] {
        let ciphertext = try self.cipher?.seal(plaintext, authenticating: self.hash) ?? plaintext
        self.mixHash(ciphertext)
        return ciphertext
    }

    mutating func decryptAndHash(_ ciphertext: ArraySlice<UInt8>) throws(NoiseError) -> [UInt8] {
        let plaintext = try self.cipher?.open(ciphertext, authenticating: self.hash) ?? Array(ciphertext)
        self.mixHash(ciphertext)
        return plaintext
    }

    /// Whether what is encrypted next carries a tag.
    var hasKey: Bool { self.cipher != nil }

    /// The two directions: initiator to responder first.
    func split() -> (CipherState, CipherState) {
        let (first, second) = self.derive(SymmetricKey(data: [UInt8]()))
        return (CipherState(key: SymmetricKey(data: first)), CipherState(key: SymmetricKey(data: second)))
    }

    /// Noise §4.3, two outputs: HKDF of RFC 5869 with the chaining key as salt and no info.
    private func derive(_ input: SymmetricKey) -> ([UInt8], [UInt8]) {
        HKDF<SHA256>.deriveKey(inputKeyMaterial: input, salt: self.chainingKey, outputByteCount: 2 * SHA256.byteCount).withUnsafeBytes {
            (Array($0.prefix(SHA256.byteCount)), Array($0.dropFirst(SHA256.byteCount)))
        }
    }
}
