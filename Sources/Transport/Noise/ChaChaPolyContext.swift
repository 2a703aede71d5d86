import COpenSSL

/// ChaCha20-Poly1305 (RFC 8439) with one key, message after message, by OpenSSL's libcrypto.
///
/// It reads where the bytes are and writes where they are wanted, and takes a message in pieces; swift-crypto copies every message on its way in
/// and once more on its way out.
///
/// `@unchecked Sendable`: at any time one ``CipherState`` uses it, on the loop of its connection once that is encrypted.
final class ChaChaPolyContext: @unchecked Sendable {
    static let keyLength = 32
    static let nonceLength = 12
    static let tagLength = 16

    enum Direction: Int32 {
        case open = 0
        case seal = 1
    }

    /// Nil if OpenSSL lacks the cipher or memory: every message fails then.
    private let context: OpaquePointer?

    /// - Parameter key: ``keyLength`` bytes.
    init(key: UnsafeRawBufferPointer) {
        precondition(key.count == Self.keyLength)
        var context = EVP_CIPHER_CTX_new()
        if context != nil, EVP_CipherInit_ex(context, EVP_chacha20_poly1305(), nil, key.bindMemory(to: UInt8.self).baseAddress, nil, Direction.seal.rawValue) != 1 {
            EVP_CIPHER_CTX_free(context)
            context = nil
        }
        self.context = context
    }

    deinit {
        EVP_CIPHER_CTX_free(self.context)
    }

    /// Begins a message; one that was begun before is forgotten.
    ///
    /// - Parameter nonce: ``nonceLength`` bytes.
    func begin(_ direction: Direction, nonce: UnsafeRawBufferPointer, authenticating associatedData: [UInt8] = []) -> Bool {
        precondition(nonce.count == Self.nonceLength)
        guard let context = self.context, EVP_CipherInit_ex(context, nil, nil, nil, nonce.bindMemory(to: UInt8.self).baseAddress, direction.rawValue) == 1 else { return false }
        guard !associatedData.isEmpty else { return true }
        var count: Int32 = 0
        guard let length = Int32(exactly: associatedData.count) else { return false }
        return EVP_CipherUpdate(context, nil, &count, associatedData, length) == 1
    }

    /// Writes as many bytes to the start of `output` as `input` has. Opened bytes are not to be believed before ``endOpening(tag:)``.
    func update(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Bool {
        guard !input.isEmpty else { return true }
        guard let length = Int32(exactly: input.count), output.count >= input.count else { return false }
        guard let context = self.context else { return false }
        var count: Int32 = 0
        return EVP_CipherUpdate(context, output.bindMemory(to: UInt8.self).baseAddress, &count, input.bindMemory(to: UInt8.self).baseAddress, length) == 1
            && count == length
    }

    /// Writes ``tagLength`` bytes to the start of `tag`.
    func endSealing(tag: UnsafeMutableRawBufferPointer) -> Bool {
        guard tag.count >= Self.tagLength else { return false }
        guard let context = self.context else { return false }
        var count: Int32 = 0
        var rest: UInt8 = 0
        return EVP_CipherFinal_ex(context, &rest, &count) == 1 && count == 0
            && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(Self.tagLength), tag.baseAddress) == 1
    }

    /// Whether all of the message, with its associated data, is what was sealed.
    ///
    /// - Parameter tag: ``tagLength`` bytes.
    func endOpening(tag: UnsafeRawBufferPointer) -> Bool {
        guard tag.count == Self.tagLength else { return false }
        guard let context = self.context else { return false }
        var count: Int32 = 0
        var rest: UInt8 = 0
        // The parameter is not const for the sake of other commands; this one only reads.
        return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(Self.tagLength), UnsafeMutableRawPointer(mutating: tag.baseAddress)) == 1
            && EVP_CipherFinal_ex(context, &rest, &count) == 1
    }
}
