import DIGContent
import DIGTestSupport
import Testing

@Suite("Folder listing")
struct FolderListingTests {
    /// Pinned with Python from the format in the documentation of the type.
    static let pinnedHex =
        "6469672d666f6c6465722d763100000000020005612f622e630000000000100001c764e3ed4ebac5f61ce59e1c78b804a6b9c02350917800126926d903f8d3dc27"
        + "0005656d70747900000000000000000000000000000000000000000000000000000000000000000000000000000000"

    private func entry(_ path: String, size: UInt64 = 1) throws -> FolderListing.Entry {
        let root = size == 0 ? .zero : SHA256Digest(hashing: Array(path.utf8))
        return FolderListing.Entry(path: try SafePath(path), descriptor: try FileDescriptor(size: size, root: root))
    }

    private func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex)
        return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
    }

    private var pinned: FolderListing {
        get throws {
            let root = try #require(SHA256Digest(hex: "c764e3ed4ebac5f61ce59e1c78b804a6b9c02350917800126926d903f8d3dc27"))
            return try FolderListing(entries: [
                .init(path: SafePath("empty"), descriptor: FileDescriptor(size: 0, root: .zero)),
                .init(path: SafePath("a/b.c"), descriptor: FileDescriptor(size: 1_048_577, root: root)),
            ])
        }
    }

    @Test("the bytes and the content hash are pinned")
    func pinnedBytes() throws {
        let listing = try self.pinned
        #expect(listing.encoded == self.bytes(Self.pinnedHex))
        #expect(listing.contentHash.digest.hex == "30faee241b54108ea0fdedcb30524af4d0b6320448d03d89116b1c1a2f67dcf1")
        #expect(try FolderListing(decoding: listing.encoded, expecting: listing.contentHash) == listing)
        #expect(listing.totalByteCount == 1_048_577)
        #expect(listing.entry(at: try SafePath("empty"))?.descriptor.size == 0)
        #expect(listing.entry(at: try SafePath("a")) == nil)
        #expect(listing.entry(at: try SafePath("z")) == nil)
        let none = try FolderListing(entries: [])
        #expect(try FolderListing(decoding: none.encoded) == none)
    }

    @Test("every strict prefix and every extra byte is refused")
    func prefixes() throws {
        let bytes = try self.pinned.encoded
        for count in 0..<bytes.count {
            #expect(throws: ContentError(.malformedListing, "")) { try FolderListing(decoding: bytes.prefix(count)) }
        }
        #expect(throws: ContentError(.malformedListing, "")) { try FolderListing(decoding: bytes + [0]) }
    }

    @Test("a flipped bit anywhere does not have the hash that was asked for")
    func flippedBits() throws {
        let listing = try self.pinned
        for position in listing.encoded.indices {
            var bytes = listing.encoded
            bytes[position] ^= 1 << (position % 8)
            #expect(throws: ContentError(.proofMismatch, "")) { try FolderListing(decoding: bytes, expecting: listing.contentHash) }
            // Without a hash to compare with, whatever is accepted is canonical.
            if let other = try? FolderListing(decoding: bytes) { #expect(other.encoded == bytes) }
        }
    }

    @Test("fields out of range are refused: prefix, count, path length, size, root, text")
    func fields() throws {
        let bytes = try self.pinned.encoded
        func code(_ change: (inout [UInt8]) -> Void) -> ContentError.Code? {
            var altered = bytes
            change(&altered)
            do {
                _ = try FolderListing(decoding: altered)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code { $0[12] = UInt8(ascii: "2") } == .malformedListing)
        #expect(code { $0.replaceSubrange(14..<18, with: [255, 255, 255, 255]) } == .listingTooLarge)
        #expect(code { $0.replaceSubrange(14..<18, with: [0, 15, 66, 64]) } == .malformedListing)
        #expect(code { $0[17] = 1 } == .malformedListing)
        #expect(code { $0[17] = 3 } == .malformedListing)
        #expect(code { $0[18] = 255 } == .malformedListing)
        #expect(code { $0[19] = 0 } != nil)
        #expect(code { $0[20] = 0xff } == .malformedListing)
        #expect(code { $0[20] = UInt8(ascii: "/") } == .unsafePath)
        #expect(code { $0[20] = 0x1b } == .unsafePath)
        #expect(code { $0[25] = 255 } == .fileTooLarge)
        #expect(code { $0[$0.count - 1] = 1 } == .invalidDescriptor)
        #expect(code { $0[20] = UInt8(ascii: "f") } == .malformedListing)
    }

    @Test("entries are sorted by their UTF-8 bytes, not by characters")
    func order() throws {
        let paths = ["z", "Z", "a/b", "a-b", "é", "e\u{301}", "a b", "日本", "a/a"]
        let listing = try FolderListing(entries: paths.map { try self.entry($0) })
        #expect(listing.entries.map { Array($0.path.string.utf8) } == paths.map { Array($0.utf8) }.sorted { $0.lexicographicallyPrecedes($1) })
        #expect(try FolderListing(decoding: listing.encoded) == listing)
        for path in paths { #expect(listing.entry(at: try SafePath(path)) != nil) }
    }

    @Test("a path twice, or both file and folder, is refused wherever it stands")
    func conflicts() throws {
        for paths in [["a", "a"], ["a", "a/b"], ["a", "a-b", "a/b"], ["x/y", "x/y!", "x/y/z"], ["a/b", "a/b/c/d/e"], ["0", "a/b/c", "a/b/d/e", "a/b/d"]] {
            #expect(throws: ContentError(.malformedListing, "")) { try FolderListing(entries: paths.map { try self.entry($0) }) }
        }
        _ = try FolderListing(entries: ["a", "ab/c", "a-b/c", "b/a", "b/ab"].map { try self.entry($0) })
    }

    @Test("listings above 16 MiB are refused before they are read")
    func tooLarge() throws {
        #expect(throws: ContentError(.listingTooLarge, "")) {
            try FolderListing(decoding: [UInt8](repeating: 0, count: FolderListing.maximumByteCount + 1))
        }
        let stem = String(repeating: String(repeating: "d", count: 250) + "/", count: 16)
        let descriptor = try FileDescriptor(size: 0, root: .zero)
        let long = try (0..<4200).map { FolderListing.Entry(path: try SafePath(stem + String($0)), descriptor: descriptor) }
        #expect(throws: ContentError(.listingTooLarge, "")) { try FolderListing(entries: long) }
        _ = try FolderListing(entries: long.prefix(100))
    }

    @Test("damaged listings are refused, or are the canonical bytes of what they say")
    func damaged() throws {
        var random = SeededGenerator(seed: 11)
        let valid = try self.pinned.encoded
        for _ in 0..<5000 {
            let bytes = random.mutated(valid)
            do throws(ContentError) {
                #expect(try FolderListing(decoding: bytes).encoded == bytes)
            } catch {
                #expect(!error.message.isEmpty)
            }
        }
    }
}
