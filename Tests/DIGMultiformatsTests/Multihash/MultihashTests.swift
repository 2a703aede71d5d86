import DIGMultiformats
import Testing

@Suite("Multihash")
struct MultihashTests {
    /// The multihash of <https://github.com/multiformats/multihash>, "Example".
    static let sha256 = bytes("1220 41dd7b6443542e75701aa98a0c235951a28a0d851b11564d20022ab11d2589a8")

    @Test("reads code and digest, and writes them back")
    func example() throws {
        let hash = try Multihash(bytes: Self.sha256)
        #expect(hash.code == .sha2_256)
        #expect(hash.digest == Array(Self.sha256.dropFirst(2)))
        #expect(hash.bytes == Self.sha256)
    }

    @Test("refuses every strict prefix and anything after the digest")
    func lengths() {
        for count in 0..<Self.sha256.count {
            #expect(throws: MultihashError.self) { try Multihash(bytes: Self.sha256.prefix(count)) }
        }
        #expect(throws: MultihashError.lengthMismatch(expected: 32, actual: 33)) { try Multihash(bytes: Self.sha256 + [0]) }
    }

    @Test("refuses digests beyond the limit before it looks for them")
    func limit() throws {
        let longest = bytes("00 8001") + [UInt8](repeating: 1, count: 128)
        #expect(try Multihash(bytes: longest).bytes == longest)
        #expect(throws: MultihashError.digestTooLong(byteCount: 129)) { try Multihash(bytes: bytes("00 8101")) }
        #expect(throws: MultihashError.digestTooLong(byteCount: 1 << 63 - 1)) { try Multihash(bytes: bytes("00 ffffffffffffffff7f")) }
    }

    @Test("refuses numbers that are not minimal")
    func overlong() {
        #expect(throws: MultihashError.invalidVarint(.overlong)) { try Multihash(bytes: bytes("9200 00")) }
        #expect(throws: MultihashError.invalidVarint(.overlong)) { try Multihash(bytes: bytes("00 8100")) }
    }
}
