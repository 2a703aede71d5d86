import DIGContent
import Testing

@Suite("File descriptor")
struct FileDescriptorTests {
    /// Pinned with Python: sha256(b"dig-file-v1\0" + size as big-endian UInt64 + root).
    @Test("the content hash is the SHA-256 of prefix, size and root")
    func pinned() throws {
        let root = try #require(SHA256Digest(hex: "c764e3ed4ebac5f61ce59e1c78b804a6b9c02350917800126926d903f8d3dc27"))
        let file = try FileDescriptor(size: 1_048_577, root: root)
        #expect(file.contentHash.digest.hex == "6ac31ecc0997f8b6c525aabaa9be5039817a6e7770ccbd8599d4aebda55da01a")
        let empty = try FileDescriptor(size: 0, root: .zero)
        #expect(empty.contentHash.digest.hex == "4348e335eef8a5a9fb49a4a571c82b7c3ba320b96bde6651ae51f6991338f376")
    }

    @Test("64 bytes and the two inner nodes that equal them are called differently")
    func lengthIsBound() throws {
        let root = SHA256Digest(hashing: [UInt8](repeating: 1, count: 64))
        #expect(try FileDescriptor(size: 64, root: root).contentHash != FileDescriptor(size: 32768, root: root).contentHash)
    }

    @Test("a size above 1 TiB, an empty file with a root, and a foreign content hash are refused")
    func refusals() throws {
        let root = SHA256Digest(hashing: [1])
        _ = try FileDescriptor(size: 1 << 40, root: root)
        #expect(throws: ContentError(.fileTooLarge, "")) { try FileDescriptor(size: (1 << 40) + 1, root: root) }
        #expect(throws: ContentError(.fileTooLarge, "")) { try FileDescriptor(size: .max, root: root) }
        #expect(throws: ContentError(.invalidDescriptor, "")) { try FileDescriptor(size: 0, root: root) }
        let hash = try FileDescriptor(size: 1, root: root).contentHash
        #expect(try FileDescriptor(size: 1, root: root, expecting: hash).contentHash == hash)
        #expect(throws: ContentError(.invalidDescriptor, "")) { try FileDescriptor(size: 2, root: root, expecting: hash) }
    }
}
