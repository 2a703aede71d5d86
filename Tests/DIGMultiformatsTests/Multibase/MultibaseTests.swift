import DIGMultiformats
import DIGTestSupport
import Testing

/// <https://github.com/multiformats/multibase>, `tests/basic.csv`, `leading_zero.csv`, `two_leading_zeros.csv`.
@Suite("Multibase")
struct MultibaseTests {
    static let vectors: [(base: Multibase, zeroCount: Int, text: String)] = [
        (.base16, 0, "f796573206d616e692021"),
        (.base32, 0, "bpfsxgidnmfxgsibb"),
        (.base32upper, 0, "BPFSXGIDNMFXGSIBB"),
        (.base36, 0, "k2lcpzo5yikidynfl"),
        (.base58btc, 0, "z7paNL19xttacUY"),
        (.base64url, 0, "ueWVzIG1hbmkgIQ"),
        (.base16, 1, "f00796573206d616e692021"),
        (.base32, 1, "bab4wk4zanvqw42jaee"),
        (.base36, 1, "k02lcpzo5yikidynfl"),
        (.base58btc, 1, "z17paNL19xttacUY"),
        (.base64url, 1, "uAHllcyBtYW5pICE"),
        (.base16, 2, "f0000796573206d616e692021"),
        (.base32, 2, "baaahszltebwwc3tjeaqq"),
        (.base36, 2, "k002lcpzo5yikidynfl"),
        (.base58btc, 2, "z117paNL19xttacUY"),
        (.base64url, 2, "uAAB5ZXMgbWFuaSAh"),
    ]

    @Test("reads and writes the published vectors", arguments: vectors)
    func published(base: Multibase, zeroCount: Int, text: String) throws {
        let data = [UInt8](repeating: 0, count: zeroCount) + Array("yes mani !".utf8)
        #expect(base.encode(data) == text)
        let decoded = try Multibase.decode(text)
        #expect(decoded.base == base)
        #expect(decoded.bytes == data)
    }

    @Test("returns what it was given, for every length", arguments: Multibase.allCases)
    func roundTrip(base: Multibase) throws {
        var generator = SeededGenerator(seed: 7)
        for count in 0..<70 {
            let data = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(try Multibase.decode(base.encode(data)).bytes == data)
        }
    }

    @Test(
        "refuses what no encoder writes",
        arguments: [
            ("", MultibaseError.empty),
            ("x00", .unknownPrefix("x")),
            ("é", .unknownPrefix("é")),
            ("f0", .invalidLength),
            ("f0G", .invalidCharacter(offset: 1)),
            ("fAB", .invalidCharacter(offset: 0)),
            ("bA", .invalidCharacter(offset: 0)),
            ("ba", .invalidLength),
            ("baaa", .invalidLength),
            ("baaaaaa", .invalidLength),
            ("bab", .nonZeroPadding),
            ("bma======", .invalidCharacter(offset: 2)),
            ("kA", .invalidCharacter(offset: 0)),
            ("z0", .invalidCharacter(offset: 0)),
            ("z1I", .invalidCharacter(offset: 1)),
            ("zé", .invalidCharacter(offset: 0)),
            ("uA", .invalidLength),
            ("uAB", .nonZeroPadding),
            ("uA+", .invalidCharacter(offset: 1)),
            ("uAA==", .invalidCharacter(offset: 2)),
        ])
    func refused(text: String, error: MultibaseError) {
        #expect(throws: error) { try Multibase.decode(text) }
    }

    @Test("refuses long text where decoding takes quadratic time")
    func tooLong() throws {
        let longest = String(repeating: "1", count: Base58BTC.maximumDigitCount)
        #expect(try Base58BTC.decode(longest).count == Base58BTC.maximumDigitCount)
        #expect(throws: MultibaseError.tooLong) { try Base58BTC.decode(longest + "1") }
        #expect(throws: MultibaseError.tooLong) { try Base36.decode(longest + "1") }
    }
}
