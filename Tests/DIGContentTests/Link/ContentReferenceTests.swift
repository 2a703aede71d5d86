import DIGContent
import Testing

@Suite("Content reference")
struct ContentReferenceTests {
    let hash = ContentHash(digest: SHA256Digest(hashing: [1]))

    @Test("links, content hashes, plain hashes and names are told apart")
    func kinds() throws {
        #expect(try ContentReference(parsing: " dig:\(self.hash)\n") == .link(ShareLink(contentHash: self.hash)))
        #expect(try ContentReference(parsing: "DIG:\(self.hash.description.uppercased())") == .link(ShareLink(contentHash: self.hash)))
        #expect(try ContentReference(parsing: "\(self.hash)") == .contentHash(self.hash))
        #expect(try ContentReference(parsing: self.hash.description.uppercased()) == .contentHash(self.hash))
        #expect(try ContentReference(parsing: "1220" + self.hash.digest.hex) == .contentHash(self.hash))
        #expect(try ContentReference(parsing: self.hash.digest.hex) == .sha256(self.hash.digest))
        #expect(try ContentReference(parsing: self.hash.digest.hex.uppercased()) == .sha256(self.hash.digest))
        for name in ["my-content", "bananas", "deadbeef", "bciq", "日本", "a b", "bciq-a-name-that-is-long-and-has-hyphens-in-it"] {
            #expect(try ContentReference(parsing: name) == .name(name))
        }
    }

    @Test("a damaged hash is an error and not a name")
    func damaged() {
        for count in 32..<56 {
            #expect(throws: ContentError(.wrongHashLength, "")) { try ContentReference(parsing: String(self.hash.description.prefix(count))) }
        }
        let hex = self.hash.digest.hex
        for count in 32..<64 { #expect(throws: ContentError(.wrongHashLength, "")) { try ContentReference(parsing: String(hex.prefix(count))) } }
        #expect(throws: ContentError(.wrongHashLength, "")) { try ContentReference(parsing: hex + "0") }
        #expect(throws: ContentError(.unsupportedHash, "")) { try ContentReference(parsing: "1320" + hex) }
        #expect(throws: ContentError(.malformedHash, "")) { try ContentReference(parsing: self.hash.description.dropLast() + "1") }
        #expect(throws: ContentError(.unsupportedHash, "")) { try ContentReference(parsing: "dig:" + hex) }
    }

    @Test("what is nothing at all is refused: empty, too long, control characters")
    func unusable() {
        for text in ["", "  ", "a\u{1b}b", "a\u{0}", String(repeating: "n ", count: 200)] {
            #expect(throws: ContentError(.unsafePath, "")) { try ContentReference(parsing: text) }
        }
    }
}
