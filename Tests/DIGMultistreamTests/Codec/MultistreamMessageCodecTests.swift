import DIGNet
import NIOCore
import Testing

@testable import DIGMultistream

@Suite("multistream-select messages")
struct MultistreamMessageCodecTests {
    private static let examples: [(MultistreamMessage, String)] = [
        (.header, "\u{13}/multistream/1.0.0\n"),
        (.notAvailable, "\u{3}na\n"),
        (.list, "\u{3}ls\n"),
        (.protocolID("/noise"), "\u{7}/noise\n"),
    ]

    @Test("are the bytes the specification shows", arguments: examples)
    func pinned(message: MultistreamMessage, text: String) throws {
        let bytes = Array(text.utf8)
        var buffer = ByteBuffer()
        buffer.writeMultistreamMessage(message)
        #expect(Array(buffer.readableBytesView) == bytes)
        #expect(try buffer.readMultistreamMessage() == message)
        #expect(buffer.readableBytes == 0)

        for length in 0..<bytes.count {
            var prefix = ByteBuffer(bytes: bytes.prefix(length))
            #expect(try prefix.readMultistreamMessage() == nil)
            #expect(prefix.readableBytes == length, "an incomplete message consumes nothing")
        }
    }

    @Test("list protocols as messages inside a message")
    func protocols() {
        var buffer = ByteBuffer()
        buffer.writeMultistreamMessage(.protocols(["/noise", "/tls/1.0.0"]))
        #expect(buffer == ByteBuffer(string: "\u{15}\u{7}/noise\n\u{b}/tls/1.0.0\n\n"))
    }

    @Test("never exceed the limit, however many protocols are listed")
    func longList() {
        var buffer = ByteBuffer()
        buffer.writeMultistreamMessage(.protocols((0..<100).map { ProtocolID("/a/protocol/of/some/length/\($0)") }))
        #expect(buffer.readableBytes <= MultistreamWire.maximumMessageLength + 2)
    }

    @Test("have at most 1 KiB")
    func limit() throws {
        let longest = String(repeating: "a", count: 1023)
        var buffer = ByteBuffer(bytes: [0x80, 0x08] + Array(longest.utf8) + [0x0a])
        #expect(try buffer.readMultistreamMessage() == .protocolID(ProtocolID(longest)))

        var tooLong = ByteBuffer(bytes: [0x81, 0x08])
        #expect(throws: MultistreamDecodingError.invalidLength) { try tooLong.readMultistreamMessage() }
    }

    private static let malformedExamples: [([UInt8], MultistreamDecodingError)] = [
        ([0x00], .invalidLength),
        ([0xff, 0xff], .invalidLength),
        ([0x83, 0x00, 0x6e, 0x61, 0x0a], .invalidLength),
        ([0x03, 0x6e, 0x61, 0x61], .missingNewline),
        ([0x01, 0x0a], .invalidText),
        ([0x03, 0xc3, 0x28, 0x0a], .invalidText),
    ]

    @Test("are refused when malformed", arguments: malformedExamples)
    func malformed(bytes: [UInt8], error: MultistreamDecodingError) {
        var buffer = ByteBuffer(bytes: bytes)
        #expect(throws: error) { try buffer.readMultistreamMessage() }
        #expect(buffer.readableBytes == bytes.count)
    }
}
