import DIGContent
import NIOCore
import Testing

@testable import DIGTransfer

@Suite("transfer frames")
struct TransferFrameDecoderTests {
    /// A request, a chunk of five bytes, a message of a later version, a response.
    static let stream = Hex.bytes(
        """
        00 00 0000 00000007 00000000 00000006 1a0408031005
        01 00 0000 00000007 00000003 00000005 6162636465
        00 00 0000 00000000 00000000 00000004 c23e0108
        00 00 0000 ffffffff 00000000 00000005 9a02020801
        """)

    static func events(_ pieces: [[UInt8]]) throws -> [TransferFrameEvent] {
        var decoder = TransferFrameDecoder()
        var events: [TransferFrameEvent] = []
        for piece in pieces {
            var bytes = ByteBuffer(bytes: piece)
            while let event = try decoder.next(&bytes) { events.append(event) }
            #expect(bytes.readableBytes == 0)
        }
        return events
    }

    /// Neighbouring bodies in one.
    static func joined(_ events: [TransferFrameEvent]) -> [TransferFrameEvent] {
        events.reduce(into: []) { joined, event in
            if case .chunkBody(var next) = event, case .chunkBody(var last)? = joined.last {
                last.writeBuffer(&next)
                joined[joined.count - 1] = .chunkBody(last)
            } else {
                joined.append(event)
            }
        }
    }

    static let expected: [TransferFrameEvent] = [
        .request(handle: 7, .getChunks(ControlCodecTests.range(3, 5))),
        .chunkBegan(handle: 7, index: 3, byteCount: 5),
        .chunkBody(ByteBuffer(string: "abcde")),
        .chunkEnded,
        .response(handle: .max, .bitfield(.complete)),
    ]

    @Test("come whole, and a later version's message is skipped")
    func whole() throws {
        #expect(try Self.events([Self.stream]) == Self.expected)
    }

    @Test("come the same however the stream is cut", arguments: 1...30)
    func cut(_ length: Int) throws {
        let pieces = stride(from: 0, to: Self.stream.count, by: length).map { Array(Self.stream[$0..<min(Self.stream.count, $0 + length)]) }
        #expect(Self.joined(try Self.events(pieces)) == Self.expected)
    }

    @Test("that are not complete give nothing")
    func prefixes() throws {
        for length in 0..<Self.stream.count {
            let events = Self.joined(try Self.events([Array(Self.stream[..<length])]))
            #expect(events.count <= Self.expected.count)
            #expect(events != Self.expected)
        }
    }

    @Test("hand a chunk's body on without keeping it")
    func bodiesPassThrough() throws {
        var decoder = TransferFrameDecoder()
        var bytes = ByteBuffer()
        bytes.writeTransferFrameHeader(.chunk(handle: 1, index: 0, byteCount: TransferLimits.maximumChunkByteCount))
        #expect(try decoder.next(&bytes) == .chunkBegan(handle: 1, index: 0, byteCount: 1 << 20))
        for _ in 0..<1024 {
            var piece = ByteBuffer(repeating: 9, count: 1024)
            #expect(try decoder.next(&piece) == .chunkBody(ByteBuffer(repeating: 9, count: 1024)))
            #expect(decoder.bufferedByteCount == 0)
        }
        #expect(try decoder.next(&bytes) == .chunkEnded)
        #expect(decoder.isAtFrameBoundary)
    }

    @Test(
        "with a wrong header end the stream",
        arguments: [
            ("02 00 0000 00000001 00000000 00000000", TransferWireError.unknownFrameType(2)),
            ("ff 00 0000 00000001 00000000 00000000", .unknownFrameType(255)),
            ("00 01 0000 00000001 00000000 00000000", .reservedBitsSet),
            ("01 00 0001 00000001 00000000 00000001", .reservedBitsSet),
            ("00 00 0000 00000001 00000001 00000000", .controlFrameWithIndex(1)),
            ("00 00 0000 00000001 00000000 00040001", .controlTooLong(byteCount: 262_145)),
            ("00 00 0000 00000001 00000000 ffffffff", .controlTooLong(byteCount: .max)),
            ("01 00 0000 00000001 00000000 00000000", .chunkLengthOutOfRange(byteCount: 0)),
            ("01 00 0000 00000001 00000000 00100001", .chunkLengthOutOfRange(byteCount: 1_048_577)),
            ("00 00 0000 00000001 00000000 00000001 ff", .malformedControl),
        ])
    func violations(_ hex: String, _ error: TransferWireError) {
        var decoder = TransferFrameDecoder()
        var bytes = ByteBuffer(bytes: Hex.bytes(hex))
        #expect(throws: error) { try decoder.next(&bytes) }
        // And it stays so.
        var more = ByteBuffer(bytes: Self.stream)
        #expect(throws: error) { try decoder.next(&more) }
        #expect(decoder.bufferedByteCount == 0)
    }

    @Test("of control are kept up to their length and no further")
    func controlIsBounded() throws {
        var decoder = TransferFrameDecoder()
        var bytes = ByteBuffer()
        bytes.writeTransferFrameHeader(.control(handle: 1, byteCount: TransferLimits.maximumControlByteCount))
        #expect(try decoder.next(&bytes) == nil)
        for _ in 0..<255 {
            var piece = ByteBuffer(repeating: 0, count: 1024)
            #expect(try decoder.next(&piece) == nil)
        }
        #expect(decoder.bufferedByteCount == 255 * 1024)
        #expect(!decoder.isAtFrameBoundary)
    }

    @Test("are written as they are read")
    func roundTrip() throws {
        var bytes = ByteBuffer()
        bytes.writeTransferRequest(.getChunks(ControlCodecTests.range(3, 5)), handle: 7)
        #expect(Array(bytes.readableBytesView) == Hex.bytes("00 00 0000 00000007 00000000 00000006 1a0408031005"))
        bytes.clear()
        bytes.writeTransferFrameHeader(.chunk(handle: 7, index: 3, byteCount: 5))
        #expect(Array(bytes.readableBytesView) == Hex.bytes("01 00 0000 00000007 00000003 00000005"))
    }

    @Test("above the bound are not written")
    func tooLong() {
        var bytes = ByteBuffer()
        let response = TransferResponse.listingPart(offset: 0, bytes: [UInt8](repeating: 0, count: TransferLimits.maximumControlByteCount))
        let isWritten = bytes.writeTransferResponse(response, handle: 1)
        #expect(!isWritten)
        #expect(bytes.readableBytes == 0)
    }
}
