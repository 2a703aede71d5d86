import DIGContent
import Foundation
import Testing

@Suite("SHA-256 digest")
struct SHA256DigestTests {
    @Test("holds exactly 32 bytes in their order")
    func bytes() throws {
        let bytes = (0..<32).map { UInt8($0 * 7) }
        let digest = try #require(SHA256Digest(bytes: bytes))
        #expect(digest.bytes == bytes)
        #expect(digest.withUnsafeBytes { Array($0) } == bytes)
        #expect(SHA256Digest(hex: digest.hex) == digest)
        #expect(SHA256Digest(hex: digest.hex.uppercased()) == digest)
        #expect(try JSONDecoder().decode([SHA256Digest].self, from: JSONEncoder().encode([digest])) == [digest])
        for count in [0, 1, 31, 33, 64] { #expect(SHA256Digest(bytes: [UInt8](repeating: 0, count: count)) == nil) }
    }

    @Test("refuses every text that is not 64 hexadecimal digits")
    func hex() {
        let hex = String(repeating: "0a", count: 32)
        for count in 0..<64 { #expect(SHA256Digest(hex: hex.prefix(count)) == nil) }
        #expect(SHA256Digest(hex: hex + "00") == nil)
        #expect(SHA256Digest(hex: "g" + hex.dropFirst()) == nil)
        #expect(SHA256Digest(hex: "0x" + hex.dropFirst(2)) == nil)
    }

    @Test("is ordered as its bytes are, at every position")
    func order() throws {
        for position in 0..<32 {
            var bytes = [UInt8](repeating: 128, count: 32)
            let middle = try #require(SHA256Digest(bytes: bytes))
            bytes[position] = 129
            if position + 1 < 32 { bytes[position + 1] = 0 }
            let larger = try #require(SHA256Digest(bytes: bytes))
            #expect(middle < larger && !(larger < middle) && !(middle < middle) && middle != larger)
        }
    }

    @Test("hashes collections with and without contiguous storage, and nothing at all")
    func hashing() {
        #expect(SHA256Digest(hashing: [UInt8]()).hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(SHA256Digest(hashing: UnsafeRawBufferPointer(start: nil, count: 0)) == SHA256Digest(hashing: [UInt8]()))
        #expect(SHA256Digest(hashing: Array("abc".utf8)).hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        let lazy = (0..<100_000).lazy.map { UInt8(truncatingIfNeeded: $0) }
        #expect(SHA256Digest(hashing: lazy) == TestContent.sha256(Array(lazy)))
    }
}
