import DIGIdentity
import DIGNet
import DIGTestSupport
import NIOCore
import NIOEmbedded
import Testing

@testable import DIGNoise

@Suite("Noise on a channel")
struct NoiseTests {
    private let dialer: KeyPair
    private let listener: KeyPair

    init() throws {
        self.dialer = try KeyPair.generate()
        self.listener = try KeyPair.generate()
    }

    @Test("secures both ends, however the handshake is cut", arguments: [1, 2, 17, 100, Int.max])
    func success(step: Int) throws {
        let pair = try ChannelPair()
        let dialed = Noise.secure(
            pair.dialer, as: .dialer, identity: self.dialer, expecting: self.listener.peerID, muxers: ["/yamux/1.0.0"])
        let accepted = Noise.secure(pair.listener, as: .listener, identity: self.listener, expecting: nil, muxers: ["/yamux/1.0.0"])
        try pair.exchange(step: step)
        let atDialer = try dialed.now()
        let atListener = try accepted.now()
        #expect(atDialer.remotePeer == self.listener.peerID)
        #expect(atListener.remotePeer == self.dialer.peerID)
        #expect(atDialer.handshakeHash == atListener.handshakeHash)
        #expect(atDialer.earlyMuxer == "/yamux/1.0.0")
        for channel in [pair.dialer, pair.listener] {
            #expect((try? channel.pipeline.syncOperations.handler(type: NoiseHandshakeHandler.self)) == nil)
            #expect((try? channel.pipeline.syncOperations.handler(type: NoiseHandler.self)) != nil)
        }
    }

    @Test("what the dialer writes in the callback arrives at the handler the listener adds in its own", arguments: [1, 17, Int.max])
    func handOver(step: Int) throws {
        let pair = try ChannelPair()
        let collector = Collector()
        Noise.secure(pair.dialer, as: .dialer, identity: self.dialer, expecting: nil, muxers: []).assumeIsolated().whenSuccess { _ in
            pair.dialer.writeAndFlush(ByteBuffer(string: "first "), promise: nil)
            pair.dialer.writeAndFlush(ByteBuffer(string: "second"), promise: nil)
        }
        Noise.secure(pair.listener, as: .listener, identity: self.listener, expecting: nil, muxers: []).assumeIsolated().whenSuccess { _ in
            try? pair.listener.pipeline.syncOperations.addHandler(collector)
        }
        // The third message and the first frames in one piece: everything the dialer sends in answer to the second message.
        let first = try #require(try pair.dialer.readOutbound(as: ByteBuffer.self))
        try pair.listener.writeInbound(first)
        let second = try #require(try pair.listener.readOutbound(as: ByteBuffer.self))
        try pair.dialer.writeInbound(second)
        var rest = ByteBuffer()
        while let bytes = try pair.dialer.readOutbound(as: ByteBuffer.self) { rest.writeImmutableBuffer(bytes) }
        while rest.readableBytes > 0, let piece = rest.readSlice(length: min(step, rest.readableBytes)) {
            try pair.listener.writeInbound(piece)
        }
        #expect(String(buffer: collector.bytes) == "first second")
    }

    @Test("a dialer that meets somebody else closes before it sends its own identity")
    func wrongPeer() throws {
        let pair = try ChannelPair()
        let expected = try KeyPair.generate().peerID
        let dialed = Noise.secure(pair.dialer, as: .dialer, identity: self.dialer, expecting: expected, muxers: [])
        let accepted = Noise.secure(pair.listener, as: .listener, identity: self.listener, expecting: nil, muxers: [])
        let first = try #require(try pair.dialer.readOutbound(as: ByteBuffer.self))
        try pair.listener.writeInbound(first)
        let second = try #require(try pair.listener.readOutbound(as: ByteBuffer.self))
        try pair.dialer.writeInbound(second)
        #expect(throws: ConnectionError(.peerMismatch, "")) { try dialed.now() }
        #expect(try pair.dialer.readOutbound(as: ByteBuffer.self) == nil)
        #expect(!pair.dialer.isActive)
        try pair.listener.close().now()
        #expect(throws: ConnectionError(.closed, "")) { try accepted.now() }
    }

    @Test("no common multiplexer closes the channel")
    func noCommonMuxer() throws {
        let pair = try ChannelPair()
        let dialed = Noise.secure(pair.dialer, as: .dialer, identity: self.dialer, expecting: nil, muxers: ["/a"])
        _ = Noise.secure(pair.listener, as: .listener, identity: self.listener, expecting: nil, muxers: ["/b"])
        try pair.exchange()
        #expect(throws: ConnectionError(.noCommonProtocol, "")) { try dialed.now() }
        #expect(!pair.dialer.isActive)
    }

    @Test("garbage instead of a handshake closes the channel", arguments: [
        [0x00, 0x00], [0x00, 0x01, 0xff], [0xff, 0xff], [0x20, 0x01], [0x00, 0x20] + [UInt8](repeating: 0, count: 32),
        Array("GET / HTTP/1.1\r\n".utf8),
    ] as [[UInt8]])
    func garbage(bytes: [UInt8]) throws {
        let pair = try ChannelPair()
        let accepted = Noise.secure(pair.listener, as: .listener, identity: self.listener, expecting: nil, muxers: [])
        try pair.listener.writeInbound(ByteBuffer(bytes: bytes))
        #expect(throws: ConnectionError(.protocolViolation, "")) { try accepted.now() }
        #expect(!pair.listener.isActive)
    }

    @Test("the end of the channel during the handshake fails it", arguments: [false, true])
    func closed(halfClosed: Bool) throws {
        let pair = try ChannelPair()
        let dialed = Noise.secure(pair.dialer, as: .dialer, identity: self.dialer, expecting: nil, muxers: [])
        if halfClosed {
            pair.dialer.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        } else {
            try pair.dialer.close().now()
        }
        #expect(throws: ConnectionError(.closed, "")) { try dialed.now() }
        #expect(!pair.dialer.isActive)
    }

    @Test("a channel closed before it was active fails it")
    func neverActive() throws {
        let channel = EmbeddedChannel()
        let dialed = Noise.secure(channel, as: .dialer, identity: self.dialer, expecting: nil, muxers: [])
        _ = try? channel.close().now()
        channel.embeddedEventLoop.run()
        #expect(throws: ConnectionError(.closed, "")) { try dialed.now() }
        let again = Noise.secure(channel, as: .dialer, identity: self.dialer, expecting: nil, muxers: [])
        #expect(throws: ConnectionError(.closed, "")) { try again.now() }
    }

    @Test("damaged messages never trap, and secure nothing", arguments: 0..<3)
    func damaged(message number: Int) throws {
        var generator = SeededGenerator(seed: UInt64(number))
        let dialer = try KeyPair.generate()
        for _ in 0..<120 {
            let pair = try ChannelPair()
            let dialed = Noise.secure(pair.dialer, as: .dialer, identity: dialer, expecting: nil, muxers: ["/yamux/1.0.0"])
            let accepted = Noise.secure(pair.listener, as: .listener, identity: self.listener, expecting: nil, muxers: ["/yamux/1.0.0"])
            var isDamaged = false
            for (step, (from, to)) in [(pair.dialer, pair.listener), (pair.listener, pair.dialer), (pair.dialer, pair.listener)].enumerated() {
                var message: [UInt8] = []
                while let bytes = try from.readOutbound(as: ByteBuffer.self) { message += bytes.readableBytesView }
                let delivered = step == number ? generator.mutated(message) : message
                isDamaged = isDamaged || !delivered.starts(with: message)
                var rest = ByteBuffer(bytes: delivered)
                while let piece = rest.readSlice(length: min(rest.readableBytes, Int.random(in: 1...400, using: &generator))), piece.readableBytes > 0 {
                    if to.isActive { do { try to.writeInbound(piece) } catch is ConnectionError {} }
                }
            }
            if isDamaged { #expect(throws: (any Error).self) { try accepted.now() } }
            // Once the dialer has sent its last message it cannot know.
            if isDamaged, number < 2 { #expect(throws: (any Error).self) { try dialed.now() } }
            for channel in [pair.dialer, pair.listener] where channel.isActive { _ = try? channel.finish(acceptAlreadyClosed: true) }
        }
    }

    @Test("damaged frames pass on nothing but what was sent")
    func damagedFrames() throws {
        var generator = SeededGenerator(seed: 7)
        let sent = (0..<3000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        for _ in 0..<60 {
            let pair = try SecuredPair()
            var stream: [UInt8] = []
            for start in stride(from: 0, to: sent.count, by: 1000) {
                try pair.channels.dialer.writeOutbound(ByteBuffer(bytes: sent[start..<start + 1000]))
            }
            while let bytes = try pair.channels.dialer.readOutbound(as: ByteBuffer.self) { stream += bytes.readableBytesView }
            var rest = ByteBuffer(bytes: generator.mutated(stream))
            while let piece = rest.readSlice(length: min(rest.readableBytes, 700)), piece.readableBytes > 0 {
                if pair.channels.listener.isActive { do { try pair.channels.listener.writeInbound(piece) } catch is ConnectionError {} }
            }
            #expect(sent.starts(with: pair.atListener.bytes.readableBytesView))
            for channel in [pair.channels.dialer, pair.channels.listener] { _ = try? channel.finish(acceptAlreadyClosed: true) }
        }
    }
}
