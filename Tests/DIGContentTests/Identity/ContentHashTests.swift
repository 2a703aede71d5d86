import DIGContent
import Foundation
import Testing

@Suite("Content hash")
struct ContentHashTests {
    let hash = ContentHash(digest: SHA256Digest(hashing: Array("abc".utf8)))
    /// Made with Python: base64.b32encode(bytes.fromhex("1220" + sha256(b"abc").hexdigest())).
    let text = "bciqlu6awx6hqdt7kifaubxs5vyrchmadmgrzmf32ts2bb73b6iablli"

    private func code(of text: some StringProtocol) -> ContentError.Code? {
        do {
            _ = try ContentHash(parsing: String(text))
            return nil
        } catch {
            return error.code
        }
    }

    @Test("its text is the base32 of the sha2-256 multihash, in either case or as hexadecimal digits")
    func textForms() throws {
        #expect(self.hash.description == self.text)
        #expect(self.text.count == ContentHash.textLength)
        #expect(try ContentHash(parsing: self.text) == self.hash)
        #expect(try ContentHash(parsing: self.text.uppercased()) == self.hash)
        #expect(try ContentHash(parsing: "1220" + self.hash.digest.hex) == self.hash)
        #expect(try ContentHash(parsing: "1220" + self.hash.digest.hex.uppercased()) == self.hash)
        #expect(ContentHash(self.hash.description) == self.hash)
        #expect(try ContentHash(multihashBytes: self.hash.multihashBytes) == self.hash)
        #expect(try JSONDecoder().decode([ContentHash].self, from: JSONEncoder().encode([self.hash])) == [self.hash])
    }

    @Test("every cut or extended text says which length was expected and found")
    func length() {
        for count in 1..<self.text.count {
            let error = #expect(throws: ContentError.self) { try ContentHash(parsing: String(self.text.prefix(count))) }
            #expect(error?.code == .wrongHashLength)
            #expect(error?.message == "a content hash of this form has 56 characters, this one has \(count)")
        }
        #expect(self.code(of: self.text + "a") == .wrongHashLength)
        let hex = "1220" + self.hash.digest.hex
        for count in 1..<hex.count where count != 64 { #expect(self.code(of: String(hex.prefix(count))) == .wrongHashLength) }
        #expect(self.code(of: hex + "00") == .wrongHashLength)
        #expect(self.code(of: "") == .malformedHash)
    }

    @Test("a plain SHA-256 is no content hash")
    func plain() {
        #expect(self.code(of: self.hash.digest.hex) == .unsupportedHash)
        #expect(self.code(of: "b" + String(repeating: "0", count: 63)) == .unsupportedHash)
    }

    @Test("other multihashes, other characters and non-canonical digits are refused")
    func malformed() {
        #expect(self.code(of: "1320" + self.hash.digest.hex) == .unsupportedHash)
        #expect(self.code(of: "1221" + self.hash.digest.hex) == .unsupportedHash)
        #expect(self.code(of: "b" + String(repeating: "a", count: 55)) == .unsupportedHash)
        #expect(self.code(of: self.text.dropLast() + "1") == .malformedHash)
        #expect(self.code(of: self.text.dropLast() + "j") == .malformedHash)
        #expect(self.code(of: self.text.prefix(20) + self.text.dropFirst(20).uppercased()) == .malformedHash)
        #expect(self.code(of: "zQm" + self.text.dropFirst(3)) == .malformedHash)
        #expect(self.code(of: "\u{1b}[2J") == .malformedHash)
        for count in [0, 33, 35] { #expect(throws: ContentError(.wrongHashLength, "")) { try ContentHash(multihashBytes: [UInt8](repeating: 0x12, count: count)) } }
    }
}
