import DIGTestSupport
import NIOCore
import Testing

@testable import DIGYamux

@Suite("Yamux header")
struct YamuxHeaderCodecTests {
    @Test(
        "has the bytes of the spec",
        arguments: [
            (YamuxHeader(kind: .data, flags: .syn, streamID: 1, length: 0x01_0203), "00 00 0001 00000001 00010203"),
            (YamuxHeader(kind: .windowUpdate, flags: [.ack, .fin], streamID: 2, length: 262_144), "00 01 0006 00000002 00040000"),
            (YamuxHeader(kind: .windowUpdate, flags: .rst, streamID: 0xFFFF_FFFE, length: 0), "00 01 0008 fffffffe 00000000"),
            (YamuxHeader(kind: .ping, flags: .syn, streamID: 0, length: 0xDEAD_BEEF), "00 02 0001 00000000 deadbeef"),
            (YamuxHeader(kind: .goAway, streamID: 0, length: 1), "00 03 0000 00000000 00000001"),
        ])
    func pinned(header: YamuxHeader, hex: String) throws {
        var buffer = ByteBuffer()
        #expect(buffer.writeYamuxHeader(header) == 12)
        #expect(buffer == (try ByteBuffer(plainHexEncodedBytes: hex.filter { $0 != " " })))
        #expect(try buffer.readYamuxHeader() == header)
        #expect(buffer.readableBytes == 0)
    }

    @Test("is not there before the twelfth byte, and nothing is consumed")
    func prefixes() throws {
        var whole = ByteBuffer()
        whole.writeYamuxHeader(YamuxHeader(kind: .data, streamID: 3, length: 5))
        for length in 0..<12 {
            var prefix = try #require(whole.getSlice(at: 0, length: length))
            #expect(try prefix.readYamuxHeader() == nil)
            #expect(prefix.readableBytes == length)
        }
    }

    @Test("refuses every other version", arguments: UInt8(1)...255)
    func versions(version: UInt8) {
        var buffer = ByteBuffer(bytes: [version] + Array(repeating: 0, count: 11))
        #expect(throws: YamuxViolation.unsupportedVersion(version)) { try buffer.readYamuxHeader() }
    }

    @Test("refuses every other kind", arguments: UInt8(4)...255)
    func kinds(kind: UInt8) {
        var buffer = ByteBuffer(bytes: [0, kind] + Array(repeating: 0, count: 10))
        #expect(throws: YamuxViolation.unknownFrameKind(kind)) { try buffer.readYamuxHeader() }
    }

    @Test("accepts flags without a meaning")
    func unknownFlags() throws {
        var buffer = ByteBuffer(bytes: [0, 0, 0xFF, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0])
        #expect(try buffer.readYamuxHeader()?.flags.contains([.syn, .ack, .fin, .rst]) == true)
    }
}

@Suite("Yamux frame reader")
struct YamuxFrameReaderTests {
    private func elements(_ wire: ByteBuffer, step: Int) throws -> (headers: [YamuxHeader], body: [UInt8], lastCount: Int) {
        var reader = YamuxFrameReader()
        var headers: [YamuxHeader] = []
        var body: [UInt8] = []
        var lastCount = 0
        var wire = wire
        while let chunk = wire.readSlice(length: min(step, wire.readableBytes)), chunk.readableBytes > 0 {
            var chunk = chunk
            while let element = try reader.next(from: &chunk) {
                switch element {
                case .header(let header): headers.append(header)
                case .body(let bytes, let isLast):
                    body += bytes.readableBytesView
                    lastCount += isLast ? 1 : 0
                }
            }
            #expect(chunk.readableBytes == 0)
        }
        return (headers, body, lastCount)
    }

    @Test("reads the same however the bytes are cut", arguments: [1, 2, 5, 11, 12, 13, 40, 1000])
    func cuts(step: Int) throws {
        let headers = [
            YamuxHeader(kind: .data, flags: .syn, streamID: 1, length: 20),
            YamuxHeader(kind: .ping, flags: .syn, streamID: 0, length: 77),
            YamuxHeader(kind: .data, streamID: 1, length: 0),
            YamuxHeader(kind: .windowUpdate, streamID: 1, length: 1_000_000),
            YamuxHeader(kind: .data, flags: .fin, streamID: 1, length: 3),
        ]
        var wire = ByteBuffer()
        for header in headers {
            wire.writeYamuxHeader(header)
            wire.writeRepeatingByte(UInt8(truncatingIfNeeded: header.length), count: Int(header.bodyByteCount))
        }
        let read = try self.elements(wire, step: step)
        #expect(read.headers == headers)
        #expect(read.body == Array(repeating: 20, count: 20) + [3, 3, 3])
        #expect(read.lastCount == 2)
    }

    @Test("shares the storage of what arrived")
    func zeroCopy() throws {
        var wire = ByteBuffer()
        wire.writeYamuxHeader(YamuxHeader(kind: .data, streamID: 1, length: 1000))
        wire.writeRepeatingByte(1, count: 1000)
        let address = wire.withUnsafeReadableBytes { $0.baseAddress.map { UInt(bitPattern: $0) } }
        var reader = YamuxFrameReader()
        _ = try reader.next(from: &wire)
        guard case .body(let body, true)? = try reader.next(from: &wire) else { Issue.record("no body"); return }
        #expect(body.withUnsafeReadableBytes { $0.baseAddress.map { UInt(bitPattern: $0) } } == address.map { $0 + 12 })
    }

    @Test("survives random bytes")
    func randomBytes() {
        var generator = SeededGenerator(seed: 42)
        for _ in 0..<2000 {
            var reader = YamuxFrameReader()
            var bytes = ByteBuffer(bytes: (0..<Int.random(in: 0..<64, using: &generator)).map { _ in UInt8.random(in: 0..<4, using: &generator) })
            do { while try reader.next(from: &bytes) != nil {} } catch { continue }
            #expect(bytes.readableBytes == 0)
        }
    }
}
