import Crypto
import NIOCore

/// A key and its counter: one direction of a connection (Noise §5.1), with ChaChaPoly (§12.3).
///
/// A copy goes on with a counter of its own, and must not be used while a frame of the other is under way.
struct CipherState: Sendable {
    static let tagLength = ChaChaPolyContext.tagLength

    private let context: ChaChaPolyContext
    private var counter: UInt64

    init(key: SymmetricKey, counter: UInt64 = 0) {
        self.context = key.withUnsafeBytes { ChaChaPolyContext(key: $0) }
        self.counter = counter
    }

    /// The counter of the next message. 2⁶⁴ - 1 is reserved (Noise §5.1).
    private func checkedCounter() throws(NoiseError) -> UInt64 {
        guard self.counter < .max else { throw .nonceExhausted }
        return self.counter
    }

    /// 32 zero bits, then the counter, little-endian (Noise §12.3).
    private func begin(_ direction: ChaChaPolyContext.Direction, authenticating associatedData: [UInt8] = []) throws(NoiseError) {
        let counter = try self.checkedCounter()
        let low = UInt32(truncatingIfNeeded: counter).littleEndian
        let high = UInt32(truncatingIfNeeded: counter >> 32).littleEndian
        // In halves: a 64-bit field would be aligned, with a gap before it.
        let hasBegun = withUnsafeBytes(of: (UInt32(0), low, high)) { self.context.begin(direction, nonce: $0, authenticating: associatedData) }
        guard hasBegun else { throw direction == .seal ? .encryptionFailed : .decryptionFailed }
    }

    // MARK: Handshake

    mutating func seal(_ plaintext: [UInt8], authenticating associatedData: [UInt8]) throws(NoiseError) -> [UInt8] {
        try self.begin(.seal, authenticating: associatedData)
        var sealed = [UInt8](repeating: 0, count: plaintext.count + Self.tagLength)
        let isSealed = sealed.withUnsafeMutableBytes { sealed in
            plaintext.withUnsafeBytes { self.context.update($0, into: sealed) }
                && self.context.endSealing(tag: UnsafeMutableRawBufferPointer(rebasing: sealed[plaintext.count...]))
        }
        guard isSealed else { throw .encryptionFailed }
        self.counter += 1
        return sealed
    }

    mutating func open(_ ciphertext: ArraySlice<UInt8>, authenticating associatedData: [UInt8]) throws(NoiseError) -> [UInt8] {
        guard ciphertext.count >= Self.tagLength else { throw .truncated }
        try self.begin(.open, authenticating: associatedData)
        var plaintext = [UInt8](repeating: 0, count: ciphertext.count - Self.tagLength)
        let isAuthentic = plaintext.withUnsafeMutableBytes { plaintext in
            ciphertext.withUnsafeBytes { self.open($0, into: plaintext) }
        }
        guard isAuthentic else { throw .decryptionFailed }
        self.counter += 1
        return plaintext
    }

    // MARK: Frames

    /// Begins a frame; ``seal(_:into:)`` and ``endFrame(into:)`` follow.
    func beginFrame() throws(NoiseError) {
        try self.begin(.seal)
    }

    /// Seals the readable bytes of `part` as the next of the frame, and appends their ciphertext to `output`.
    func seal(_ part: ByteBuffer, into output: inout ByteBuffer) throws(NoiseError) {
        var isSealed = false
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: part.readableBytes) { output in
            isSealed = part.withUnsafeReadableBytes { self.context.update($0, into: output) }
            return isSealed ? part.readableBytes : 0
        }
        guard isSealed else { throw .encryptionFailed }
    }

    /// Appends the frame's tag to `output`.
    mutating func endFrame(into output: inout ByteBuffer) throws(NoiseError) {
        var isSealed = false
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.tagLength) { output in
            isSealed = self.context.endSealing(tag: output)
            return isSealed ? Self.tagLength : 0
        }
        guard isSealed else { throw .encryptionFailed }
        self.counter += 1
    }

    /// Opens the readable bytes of `frame`, ciphertext and tag, and appends the plaintext to `output`; of one that is not authentic, nothing.
    mutating func open(_ frame: ByteBuffer, into output: inout ByteBuffer) throws(NoiseError) {
        guard frame.readableBytes >= Self.tagLength else { throw .truncated }
        try self.begin(.open)
        let count = frame.readableBytes - Self.tagLength
        var isAuthentic = false
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { output in
            isAuthentic = frame.withUnsafeReadableBytes { self.open($0, into: output) }
            return isAuthentic ? count : 0
        }
        guard isAuthentic else { throw .decryptionFailed }
        self.counter += 1
    }

    /// - Parameter sealed: Ciphertext and tag.
    private func open(_ sealed: UnsafeRawBufferPointer, into plaintext: UnsafeMutableRawBufferPointer) -> Bool {
        let count = sealed.count - Self.tagLength
        return self.context.update(UnsafeRawBufferPointer(rebasing: sealed[..<count]), into: plaintext)
            && self.context.endOpening(tag: UnsafeRawBufferPointer(rebasing: sealed[count...]))
    }
}
