import DIGMultiformats
import NIOCore
import Testing

@Suite("Unsigned varint")
struct UnsignedVarintTests {
    /// <https://github.com/multiformats/unsigned-varint>, "Examples", and the ends of each length.
    static let vectors: [(value: UInt64, encoded: String)] = [
        (0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (255, "ff01"), (300, "ac02"), (16383, "ff7f"), (16384, "808001"),
        (1 << 35 - 1, "ffffffff7f"), (1 << 56 - 1, "ffffffffffffff7f"), (1 << 63 - 1, "ffffffffffffffff7f"),
    ]

    @Test("reads and writes the published examples", arguments: vectors)
    func published(value: UInt64, encoded: String) throws {
        var buffer = ByteBuffer()
        #expect(buffer.writeUnsignedVarint(value) == bytes(encoded).count)
        #expect(Array(buffer.readableBytesView) == bytes(encoded))
        buffer.writeInteger(UInt8(0xaa))
        #expect(try buffer.readUnsignedVarint() == value)
        #expect(Array(buffer.readableBytesView) == [0xaa])
        var array: [UInt8] = []
        UnsignedVarint.encode(value, into: &array)
        #expect(array == bytes(encoded))
    }

    @Test("asks for more at every strict prefix and consumes nothing", arguments: vectors)
    func prefixes(value: UInt64, encoded: String) {
        let whole = bytes(encoded)
        for count in 0..<whole.count {
            var buffer = ByteBuffer(bytes: whole.prefix(count))
            #expect(throws: VarintError.truncated) { try buffer.readUnsignedVarint() }
            #expect(buffer.readableBytes == count)
        }
    }

    @Test(
        "refuses numbers that are not minimal, and more than nine bytes",
        arguments: [
            ("8000", VarintError.overlong), ("8100", .overlong), ("ff8000", .overlong), ("808080808080808000", .overlong),
            ("808080808080808080", .overflow), ("80808080808080808001", .overflow), ("ffffffffffffffffff01", .overflow),
        ])
    func refused(encoded: String, error: VarintError) {
        var buffer = ByteBuffer(bytes: bytes(encoded))
        #expect(throws: error) { try buffer.readUnsignedVarint() }
        #expect(buffer.readableBytes == bytes(encoded).count)
    }

    @Test("writes a number that no reader takes without a trap")
    func beyondTheLimit() {
        var buffer = ByteBuffer()
        #expect(buffer.writeUnsignedVarint(.max) == 10)
        #expect(throws: VarintError.overflow) { try buffer.readUnsignedVarint() }
    }
}
