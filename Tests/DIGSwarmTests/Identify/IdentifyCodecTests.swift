import DIGMultiformats
import DIGNet
import DIGTestSupport
import NIOCore
import Testing

@testable import DIGSwarm

@Suite("Identify codec")
struct IdentifyCodecTests {
    func message() throws -> IdentifyMessage {
        IdentifyMessage(
            protocolVersion: "p", agentVersion: "a", publicKey: [1, 2], listenAddresses: [try Multiaddr("/ip4/1.2.3.4/tcp/5")],
            observedAddress: try Multiaddr("/ip4/5.6.7.8/tcp/9"), protocols: ["/x", "/y"], signedPeerRecord: [3])
    }

    @Test("writes the fields with the numbers of the specification")
    func pinned() throws {
        let fields: [[UInt8]] = [
            [0x0a, 2, 1, 2],  // publicKey = 1
            [0x12, 8, 4, 1, 2, 3, 4, 6, 0, 5],  // listenAddrs = 2
            [0x1a, 2] + Array("/x".utf8), [0x1a, 2] + Array("/y".utf8),  // protocols = 3
            [0x22, 8, 4, 5, 6, 7, 8, 6, 0, 9],  // observedAddr = 4
            [0x2a, 1] + Array("p".utf8),  // protocolVersion = 5
            [0x32, 1] + Array("a".utf8),  // agentVersion = 6
            [0x42, 1, 3],  // signedPeerRecord = 8
        ]
        let expected = [41] + fields.joined()
        #expect(Array(IdentifyCodec.encode(try self.message()).readableBytesView) == expected)
    }

    @Test("reads what it wrote, and no strict prefix of it")
    func roundTrip() throws {
        let message = try self.message()
        let bytes = IdentifyCodec.encode(message)
        #expect(try IdentifyCodec.decode(bytes) == message)
        for length in 0..<bytes.readableBytes {
            #expect(throws: IdentifyDecodingError.truncated) {
                _ = try IdentifyCodec.decode(try #require(bytes.getSlice(at: bytes.readerIndex, length: length)))
            }
        }
    }

    @Test("puts the signed record into a second message when the first would be too long for others")
    func splits() throws {
        var message = try self.message()
        message.signedPeerRecord = Array(repeating: 9, count: 3000)
        var bytes = IdentifyCodec.encode(message)
        #expect(try IdentifyCodec.decode(bytes) == message)
        let length = try bytes.readUnsignedVarint()
        #expect(length < 2048)
        #expect(Int(length) < bytes.readableBytes)
    }

    @Test("merges several messages")
    func merges() throws {
        var first = IdentifyCodec.encode(IdentifyMessage(agentVersion: "a", protocols: ["/x"]))
        var second = IdentifyCodec.encode(IdentifyMessage(agentVersion: "b", protocols: ["/y"]))
        first.writeBuffer(&second)
        #expect(try IdentifyCodec.decode(first) == IdentifyMessage(agentVersion: "b", protocols: ["/x", "/y"]))
    }

    @Test("refuses too much, a length that is no varint, one beyond the end, and what is no protobuf")
    func malformed() throws {
        #expect(throws: IdentifyDecodingError.tooLong) { try IdentifyCodec.decode(ByteBuffer(repeating: 0, count: 64 * 1024 + 1)) }
        #expect(throws: IdentifyDecodingError.truncated) { try IdentifyCodec.decode(ByteBuffer(repeating: 0xff, count: 20)) }
        #expect(throws: IdentifyDecodingError.truncated) { try IdentifyCodec.decode(ByteBuffer(bytes: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1])) }
        #expect(throws: IdentifyDecodingError.malformed) { try IdentifyCodec.decode(ByteBuffer(bytes: [2, 0x0a, 9])) }
        // Wire type 7 does not exist; text that is not UTF-8.
        #expect(throws: IdentifyDecodingError.malformed) { try IdentifyCodec.decode(ByteBuffer(bytes: [1, 0x0f])) }
        #expect(throws: IdentifyDecodingError.malformed) { try IdentifyCodec.decode(ByteBuffer(bytes: [3, 0x32, 1, 0xff])) }
    }

    @Test("leaves out addresses of protocols it does not know, and ignores unknown fields")
    func unknown() throws {
        let bytes: [UInt8] = [11] + [0x12, 2, 0x7e, 0x7e] + [0x12, 1, 0xff] + [0xf8, 0x01, 1] + [0x50]
        #expect(throws: IdentifyDecodingError.malformed) { try IdentifyCodec.decode(ByteBuffer(bytes: bytes)) }
        let good: [UInt8] = [10] + [0x12, 2, 0x7e, 0x7e] + [0x12, 1, 0xff] + [0xf8, 0x01, 1]
        #expect(try IdentifyCodec.decode(ByteBuffer(bytes: good)) == IdentifyMessage())
    }

    @Test("survives any bytes")
    func random() throws {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<2000 {
            var bytes = (0..<Int.random(in: 0..<40, using: &generator)).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            if bytes.count > 1 { bytes[0] = UInt8(bytes.count - 1) }
            do throws(IdentifyDecodingError) { _ = try IdentifyCodec.decode(ByteBuffer(bytes: bytes)) } catch { continue }
        }
    }

    @Test("survives damage to what was valid, and keeps its limits")
    func damaged() throws {
        var generator = SeededGenerator(seed: 2)
        let valid = Array(IdentifyCodec.encode(try self.message()).readableBytesView)
        for _ in 0..<5000 {
            do throws(IdentifyDecodingError) {
                let message = try IdentifyCodec.decode(ByteBuffer(bytes: generator.mutated(valid)))
                #expect(message.listenAddresses.count <= IdentifyCodec.maximumAddressCount)
            } catch {
                continue
            }
        }
        // Many empty entries, in as many bytes as are read.
        let many = [UInt8](repeating: 0, count: 30_000).flatMap { _ in [0x12, 0] as [UInt8] }
        var bytes = ByteBuffer()
        bytes.writeUnsignedVarint(UInt64(many.count))
        bytes.writeBytes(many)
        #expect(try IdentifyCodec.decode(bytes).listenAddresses.isEmpty)
    }
}
