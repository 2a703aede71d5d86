import DIGMultiformats
import NIOCore
import Testing

@testable import DIGHolePunching

@Suite("Punch messages")
struct PunchMessageCodecTests {
    @Test("the wire form is that of relay/DCUtR, \"RPC messages\"")
    func pinned() throws {
        let connect = PunchMessage.connect([try Multiaddr("/ip4/192.0.2.1/tcp/4001")])
        let bytes: [UInt8] = [0x08, 0x64, 0x12, 0x08, 0x04, 192, 0, 2, 1, 0x06, 0x0f, 0xa1]
        #expect(Array(connect.encoded.readableBytesView) == bytes)
        #expect(try PunchMessage(decoding: ByteBuffer(bytes: bytes)) == connect)
        #expect(Array(PunchMessage.sync.encoded.readableBytesView) == [0x08, 0xac, 0x02])
        #expect(try PunchMessage(decoding: ByteBuffer(bytes: [0x08, 0xac, 0x02])) == .sync)
    }

    @Test("no strict prefix of a message is taken for the message")
    func prefixes() throws {
        let message = PunchMessage.connect(try (1...3).map { try Multiaddr("/ip4/192.0.2.\($0)/tcp/4001") })
        let bytes = Array(message.encoded.readableBytesView)
        for count in 0..<bytes.count {
            let decoded = try? PunchMessage(decoding: ByteBuffer(bytes: bytes[..<count]))
            #expect(decoded != message, "\(count) bytes")
        }
    }

    @Test("another kind, no kind, no message: refused")
    func malformed() {
        #expect(throws: PunchDecodingError.unknownKind) { try PunchMessage(decoding: ByteBuffer(bytes: [0x08, 0x65])) }
        #expect(throws: PunchDecodingError.unknownKind) { try PunchMessage(decoding: ByteBuffer()) }
        #expect(throws: PunchDecodingError.malformed) { try PunchMessage(decoding: ByteBuffer(repeating: 0xff, count: 20)) }
        #expect(throws: PunchDecodingError.tooLong(byteCount: 4097)) { try PunchMessage(decoding: ByteBuffer(repeating: 0, count: 4097)) }
    }

    @Test("addresses that can't be read are left out; too many are refused; unknown fields are skipped")
    func addresses() throws {
        let mixed: [UInt8] = [0x08, 0x64, 0x12, 0x02, 0xff, 0xff, 0x12, 0x08, 0x04, 192, 0, 2, 1, 0x06, 0x0f, 0xa1, 0x1a, 0x01, 0x00]
        #expect(try PunchMessage(decoding: ByteBuffer(bytes: mixed)) == .connect([Multiaddr("/ip4/192.0.2.1/tcp/4001")]))
        let many: [UInt8] = [0x08, 0x64] + Array(repeating: [UInt8]([0x12, 0x00]), count: 65).joined()
        #expect(throws: PunchDecodingError.tooManyAddresses(65)) { try PunchMessage(decoding: ByteBuffer(bytes: many)) }
    }

    @Test("what does not fit in 4 KiB is left out")
    func limit() throws {
        let name = Array(repeating: String(repeating: "a", count: 60), count: 3).joined(separator: ".")
        let addresses = try (0..<64).map { try Multiaddr("/dns4/\(name)/tcp/\($0 + 1)") }
        let encoded = PunchMessage.connect(addresses).encoded
        #expect(encoded.readableBytes <= PunchMessage.maximumByteCount)
        guard case .connect(let decoded) = try PunchMessage(decoding: encoded) else { return #expect(Bool(false)) }
        #expect(decoded.count > 15)
        #expect(decoded == Array(addresses.prefix(decoded.count)))
    }
}
