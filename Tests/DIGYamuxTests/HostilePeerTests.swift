import DIGNet
import DIGTestSupport
import NIOCore
import NIOEmbedded
import Testing

@testable import DIGYamux

@Suite("Yamux against a hostile peer")
struct HostilePeerTests {
    private let pair: EmbeddedPair

    init() throws {
        self.pair = try EmbeddedPair { try $0.syncOptions?.setOption(.autoRead, value: false) }
    }

    private func send(_ header: YamuxHeader, body: Int = 0) {
        var bytes = ByteBuffer()
        bytes.writeYamuxHeader(header)
        bytes.writeRepeatingByte(0x55, count: body)
        self.pair.listener.pipeline.fireChannelRead(bytes)
        self.pair.listener.pipeline.fireChannelReadComplete()
        self.pair.loop.run()
    }

    /// The connection ended with a go-away that names a protocol error.
    private func expectProtocolError(_ location: SourceLocation = #_sourceLocation) throws {
        #expect(!self.pair.listener.isActive, sourceLocation: location)
        #expect(self.pair.listenerHandler.streamCount == 0, sourceLocation: location)
        var last: YamuxHeader?
        var reader = YamuxFrameReader()
        while var bytes = try self.pair.listener.readOutbound(as: ByteBuffer.self) {
            while let element = try reader.next(from: &bytes) {
                if case .header(let header) = element { last = header }
            }
        }
        #expect(last == YamuxHeader(kind: .goAway, streamID: 0, length: 1), sourceLocation: location)
        #expect(throws: ConnectionError(.protocolViolation, ""), sourceLocation: location) { try self.pair.listener.throwIfErrorCaught() }
        self.pair.finish()
    }

    @Test("frames that break the protocol end the connection")
    func violations() throws {
        for header in [
            YamuxHeader(kind: .data, flags: .syn, streamID: 1, length: 262_145),
            YamuxHeader(kind: .windowUpdate, flags: .syn, streamID: 1, length: .max),
            YamuxHeader(kind: .windowUpdate, flags: .syn, streamID: 2, length: 0),
            YamuxHeader(kind: .data, flags: .syn, streamID: 0, length: 0),
            YamuxHeader(kind: .data, streamID: 99, length: .max),
        ] {
            let test = try HostilePeerTests()
            test.send(header)
            try test.expectProtocolError()
        }
        self.pair.finish()
    }

    @Test("a wrong version or kind ends the connection", arguments: [0, 1])
    func badHeader(offset: Int) throws {
        var bytes = ByteBuffer(repeating: 0, count: 12)
        bytes.setInteger(UInt8(9), at: offset)
        self.pair.listener.pipeline.fireChannelRead(bytes)
        self.pair.listener.pipeline.fireChannelReadComplete()
        self.pair.loop.run()
        try self.expectProtocolError()
    }

    @Test("a sender that ignores the window is cut off; what waits never exceeds it")
    func ignoresWindow() throws {
        self.send(YamuxHeader(kind: .windowUpdate, flags: .syn, streamID: 1, length: 0))
        for _ in 0..<256 { self.send(YamuxHeader(kind: .data, streamID: 1, length: 1024), body: 1024) }
        #expect(self.pair.listenerHandler.bufferedInboundByteCount == 262_144)
        self.send(YamuxHeader(kind: .data, streamID: 1, length: 1), body: 1)
        try self.expectProtocolError()
    }

    @Test("a flood of pings ends the connection")
    func pingFlood() throws {
        for _ in 0..<2001 { self.send(YamuxHeader(kind: .ping, flags: .syn, streamID: 0, length: 1)) }
        try self.expectProtocolError()
    }

    @Test("a flood of opened streams is refused, then ends the connection")
    func openFlood() throws {
        for index in 0..<3024 as Range<UInt32> {
            self.send(YamuxHeader(kind: .windowUpdate, flags: .syn, streamID: index * 2 + 1, length: 0))
        }
        #expect(self.pair.listenerHandler.streamCount == 1024)
        self.send(YamuxHeader(kind: .windowUpdate, flags: .syn, streamID: 9_001, length: 0))
        try self.expectProtocolError()
    }

    @Test("nothing is read after the connection has ended")
    func afterTheEnd() throws {
        self.send(YamuxHeader(kind: .data, flags: .syn, streamID: 0, length: 0))
        self.send(YamuxHeader(kind: .windowUpdate, flags: .syn, streamID: 1, length: 0))
        #expect(self.pair.accepted.channels.isEmpty)
        try self.expectProtocolError()
    }

    @Test("random bytes and random frames never trap")
    func random() throws {
        for seed in 0..<60 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let pair = try EmbeddedPair { try $0.pipeline.syncOperations.addHandler(EchoHandler()) }
            for _ in 0..<200 where pair.listener.isActive {
                var bytes = ByteBuffer()
                if seed % 3 == 0 {
                    bytes.writeBytes((0..<Int.random(in: 1..<40, using: &generator)).map { _ in UInt8.random(in: 0..<3, using: &generator) })
                } else {
                    let header = YamuxHeader(
                        kind: YamuxHeader.Kind.allCases.randomElement(using: &generator) ?? .data,
                        flags: YamuxFlags(rawValue: UInt16.random(in: 0..<16, using: &generator)),
                        streamID: UInt32.random(in: 0...8, using: &generator),
                        length: UInt32.random(in: 0...2000, using: &generator))
                    bytes.writeYamuxHeader(header)
                    bytes.writeRepeatingByte(0, count: Int(header.bodyByteCount))
                }
                pair.listener.pipeline.fireChannelRead(bytes)
                if Bool.random(using: &generator) { pair.listener.pipeline.fireChannelReadComplete() }
                if Int.random(in: 0..<10, using: &generator) == 0, let channel = pair.accepted.channels.randomElement(using: &generator) {
                    channel.close(mode: [.all, .input, .output].randomElement(using: &generator) ?? .all, promise: nil)
                }
                pair.loop.run()
            }
            pair.finish()
            #expect(pair.listenerHandler.streamCount == 0)
        }
        self.pair.finish()
    }

    @Test("a connection's bytes, damaged, never trap and never fill more than the windows", arguments: 0..<3 as Range<UInt64>)
    func damaged(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var valid = ByteBuffer()
        for id in [1, 3, 5] as [UInt32] {
            valid.writeYamuxHeader(YamuxHeader(kind: .windowUpdate, flags: .syn, streamID: id, length: 0))
            valid.writeYamuxHeader(YamuxHeader(kind: .data, streamID: id, length: 40))
            valid.writeRepeatingByte(0x61, count: 40)
            valid.writeYamuxHeader(YamuxHeader(kind: .ping, flags: .syn, streamID: 0, length: id))
            valid.writeYamuxHeader(YamuxHeader(kind: .windowUpdate, streamID: id, length: 100))
            valid.writeYamuxHeader(YamuxHeader(kind: .windowUpdate, flags: id == 5 ? .rst : .fin, streamID: id, length: 0))
        }
        valid.writeYamuxHeader(YamuxHeader(kind: .goAway, streamID: 0, length: 0))
        let bytes = Array(valid.readableBytesView)
        for _ in 0..<200 {
            let pair = try EmbeddedPair { try $0.pipeline.syncOperations.addHandler(EchoHandler()) }
            var rest = ByteBuffer(bytes: generator.mutated(bytes))
            while pair.listener.isActive, let piece = rest.readSlice(length: min(rest.readableBytes, Int.random(in: 1...90, using: &generator))), piece.readableBytes > 0 {
                pair.listener.pipeline.fireChannelRead(piece)
                pair.listener.pipeline.fireChannelReadComplete()
                pair.loop.run()
                #expect(pair.listenerHandler.bufferedInboundByteCount <= bytes.count + 100)
            }
            pair.finish()
            #expect(pair.listenerHandler.streamCount == 0)
        }
        self.pair.finish()
    }
}
