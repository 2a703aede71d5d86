import Crypto
import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A key and its counter: one direction of a connection (Noise §5.1), with ChaChaPoly (§12.3).
struct CipherState: Sendable {
    static let tagLength = 16
    static let nonceLength = 12

    private let key: SymmetricKey
    private var counter: UInt64

    init(key: SymmetricKey, counter: UInt64 = 0) {
        self.key = key
        self.counter = counter
    }

    /// The counter of the next message. 2⁶⁴ - 1 is reserved (Noise §5.1).
    private func checkedCounter() throws(NoiseError) -> UInt64 {
        guard self.counter < .max else { throw .nonceExhausted }
        return self.counter
    }

    // MARK: Handshake

    mutating func seal(_ plaintext: [UInt8], authenticating associatedData: [UInt8]) throws(NoiseError) -> [UInt8] {
        let counter = try self.checkedCounter()
        do {
            let box = try ChaChaPoly.seal(plaintext, using: self.key, nonce: Self.nonce(counter), authenticating: associatedData)
            self.counter = counter + 1
            return Array(box.combined.dropFirst(Self.nonceLength))
        } catch {
            throw .encryptionFailed
        }
    }

    mutating func open(_ ciphertext: ArraySlice<UInt8>, authenticating associatedData: [UInt8]) throws(NoiseError) -> [UInt8] {
        guard ciphertext.count >= Self.tagLength else { throw .truncated }
        let counter = try self.checkedCounter()
        do {
            let box = try ChaChaPoly.SealedBox(
                nonce: Self.nonce(counter), ciphertext: ciphertext.dropLast(Self.tagLength), tag: ciphertext.suffix(Self.tagLength))
            let plaintext = try ChaChaPoly.open(box, using: self.key, authenticating: associatedData)
            self.counter = counter + 1
            return Array(plaintext)
        } catch {
            throw .decryptionFailed
        }
    }

    // MARK: Frames

    /// Seals the first `count` readable bytes and appends ciphertext and tag to `output`.
    mutating func seal(_ plaintext: ByteBuffer, count: Int, into output: inout ByteBuffer) throws(NoiseError) {
        let counter = try self.checkedCounter()
        do {
            // A pointer is one contiguous region: the cipher reads it where it is.
            let box = try plaintext.withUnsafeReadableBytes {
                try ChaChaPoly.seal(UnsafeRawBufferPointer(rebasing: $0.prefix(count)), using: self.key, nonce: Self.nonce(counter))
            }
            self.counter = counter + 1
            _ = box.combined.withUnsafeBytes { output.writeBytes(UnsafeRawBufferPointer(rebasing: $0.dropFirst(Self.nonceLength))) }
        } catch {
            throw .encryptionFailed
        }
    }

    /// Opens the `length` bytes of ciphertext and tag at `index` and appends the plaintext to `output`.
    ///
    /// The nonce is written over the 12 bytes before `index`: a sealed box wants nonce, ciphertext and tag in a row, and any other
    /// way of making one copies the frame twice.
    ///
    ///     … | previous frame | length | ciphertext | tag | …
    ///               | nonce, 12 bytes |
    mutating func open(at index: Int, length: Int, in frames: inout ByteBuffer, into output: inout ByteBuffer) throws(NoiseError) {
        guard length >= Self.tagLength, index >= Self.nonceLength else { throw .truncated }
        let counter = try self.checkedCounter()
        let start = index - Self.nonceLength
        frames.setInteger(UInt32(0), at: start)
        frames.setInteger(counter, at: start + 4, endianness: .little)
        do {
            let plaintext = try frames.withVeryUnsafeBytes { bytes in
                let combined = UnsafeRawBufferPointer(rebasing: bytes[start..<index + length])
                return try ChaChaPoly.open(ChaChaPoly.SealedBox(combined: combined), using: self.key)
            }
            self.counter = counter + 1
            _ = plaintext.withUnsafeBytes { output.writeBytes($0) }
        } catch {
            throw .decryptionFailed
        }
    }

    /// 32 zero bits, then the counter, little-endian (Noise §12.3). In halves: a 64-bit field would be aligned, with a gap before it.
    private static func nonce(_ counter: UInt64) throws -> ChaChaPoly.Nonce {
        let low = UInt32(truncatingIfNeeded: counter).littleEndian
        let high = UInt32(truncatingIfNeeded: counter >> 32).littleEndian
        return try withUnsafeBytes(of: (UInt32(0), low, high)) { try ChaChaPoly.Nonce(data: $0) }
    }
}
