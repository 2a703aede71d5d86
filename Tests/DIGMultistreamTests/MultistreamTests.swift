import DIGNet
import DIGTestSupport
import NIOCore
import NIOEmbedded
import Testing

@testable import DIGMultistream

@Suite("multistream-select on a channel")
struct MultistreamTests {
    private static let header = "\u{13}/multistream/1.0.0\n"
    private static let noise = "\u{7}/noise\n"
    private static let na = "\u{3}na\n"

    private func activeChannel() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/peer")).now()
        return channel
    }

    private func outbound(_ channel: EmbeddedChannel) throws -> [String] {
        var writes: [String] = []
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { writes.append(String(buffer: bytes)) }
        return writes
    }

    /// Adds the next handler in the callback, as a caller does.
    private func collecting(_ future: EventLoopFuture<ProtocolID>, on channel: EmbeddedChannel) -> Collector {
        let collector = Collector()
        future.assumeIsolated().whenSuccess { _ in try? channel.pipeline.syncOperations.addHandler(collector) }
        return collector
    }

    private func isNegotiating(_ channel: EmbeddedChannel) -> Bool {
        (try? channel.pipeline.syncOperations.handler(type: MultistreamHandler.self)) != nil
    }

    @Test("the initiator sends header and first proposal in one write, once the channel is active")
    func firstWrite() throws {
        let channel = EmbeddedChannel()
        let future = Multistream.negotiate(on: channel, proposing: ["/noise"])
        #expect(try self.outbound(channel) == [])
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/peer")).now()
        #expect(try self.outbound(channel) == [Self.header + Self.noise])
        try channel.writeInbound(ByteBuffer(string: Self.header + Self.noise))
        #expect(try future.now() == "/noise")
    }

    @Test("bytes glued behind the initiator's negotiation arrive once and in order, however they were cut", arguments: [1, 2, 3, 7, 40, 10_000])
    func initiatorHandOver(step: Int) throws {
        let channel = try self.activeChannel()
        let future = Multistream.negotiate(on: channel, proposing: ["/tls/1.0.0", "/noise"])
        let collector = self.collecting(future, on: channel)
        let application = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let stream = Array((Self.header + Self.na + Self.noise).utf8) + application
        for start in stride(from: 0, to: stream.count, by: step) {
            try channel.writeInbound(ByteBuffer(bytes: stream[start..<min(start + step, stream.count)]))
        }
        #expect(try future.now() == "/noise")
        #expect(collector.bytes == application)
        #expect(try channel.readInbound(as: ByteBuffer.self) == nil)
        #expect(!self.isNegotiating(channel))
        #expect(try self.outbound(channel) == [Self.header + "\u{b}/tls/1.0.0\n", Self.noise])
    }

    @Test("bytes glued behind the responder's negotiation arrive once and in order, however they were cut", arguments: [1, 2, 3, 7, 40, 10_000])
    func responderHandOver(step: Int) throws {
        let channel = try self.activeChannel()
        let future = Multistream.answer(on: channel, supporting: { ["/noise"] })
        let collector = self.collecting(future, on: channel)
        let application = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let stream = Array((Self.header + "\u{1d}/libp2p/simultaneous-connect\n" + Self.noise).utf8) + application
        for start in stride(from: 0, to: stream.count, by: step) {
            try channel.writeInbound(ByteBuffer(bytes: stream[start..<min(start + step, stream.count)]))
        }
        #expect(try future.now() == "/noise")
        #expect(collector.bytes == application)
        #expect(!self.isNegotiating(channel))
        let writes = try self.outbound(channel)
        #expect(writes.joined() == Self.header + Self.na + Self.noise)
        if step == 10_000 { #expect(writes.count == 1, "what was asked in one read is answered in one write") }
    }

    @Test("a second negotiation can start in the first one's callback")
    func chained() throws {
        let channel = try self.activeChannel()
        let future = Multistream.answer(on: channel, supporting: { ["/noise"] }).flatMap { first in
            Multistream.answer(on: channel, supporting: { ["/yamux/1.0.0"] }).map { [first, $0] }
        }
        let collector = Collector()
        future.assumeIsolated().whenSuccess { _ in try? channel.pipeline.syncOperations.addHandler(collector) }
        try channel.writeInbound(ByteBuffer(string: Self.header + Self.noise + Self.header + "\u{d}/yamux/1.0.0\nbytes"))
        #expect(try future.now() == ["/noise", "/yamux/1.0.0"])
        #expect(collector.bytes == Array("bytes".utf8))
    }

    @Test("what arrives while the channel is being prepared waits, and the channel is not read")
    func initializer() throws {
        let channel = try self.activeChannel()
        let ready = channel.eventLoop.makePromise(of: Void.self)
        let future = Multistream.answer(on: channel, supporting: { ["/noise"] }, initializer: { _ in ready.futureResult })
        try channel.writeInbound(ByteBuffer(string: Self.header + Self.noise + "first "))
        try channel.writeInbound(ByteBuffer(string: "second"))
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(try channel.readInbound(as: ByteBuffer.self) == nil)

        let collector = Collector()
        try channel.pipeline.syncOperations.addHandler(collector)
        ready.succeed(())
        #expect(try future.now() == "/noise")
        #expect(collector.bytes == Array("first second".utf8))
        #expect(collector.byteCountAtInputClosed == 12, "the end of input comes behind the bytes")
        #expect(!self.isNegotiating(channel))
    }

    @Test("a channel that cannot be prepared is closed")
    func initializerFails() throws {
        let channel = try self.activeChannel()
        let future = Multistream.answer(
            on: channel, supporting: { ["/noise"] }, initializer: { [loop = channel.eventLoop] _ in loop.makeFailedFuture(ChannelError.eof) })
        try channel.writeInbound(ByteBuffer(string: Self.header + Self.noise))
        #expect(throws: ConnectionError(.closed, "")) { try future.now() }
        #expect(!channel.isActive)
    }

    @Test("no common protocol closes the channel")
    func noCommonProtocol() throws {
        let channel = try self.activeChannel()
        let future = Multistream.negotiate(on: channel, proposing: ["/noise"])
        try channel.writeInbound(ByteBuffer(string: Self.header + Self.na))
        #expect(throws: ConnectionError(.noCommonProtocol, "")) { try future.now() }
        #expect(!channel.isActive)
    }

    @Test("garbage closes the channel", arguments: ["GET / HTTP/1.1\r\nHost: example.org\r\nUser-Agent: somebody\r\nAccept: */*\r\n\r\n", "\u{0}", "\u{2}a\n", "\u{16}\u{3}\u{1}"])
    func garbage(text: String) throws {
        let channel = try self.activeChannel()
        let future = Multistream.answer(on: channel, supporting: { ["/noise"] })
        try channel.writeInbound(ByteBuffer(string: text + Self.header))
        #expect(throws: ConnectionError(.protocolViolation, "")) { try future.now() }
        #expect(!channel.isActive)
    }

    @Test("a channel closed during the negotiation fails it")
    func closed() throws {
        let channel = try self.activeChannel()
        let future = Multistream.negotiate(on: channel, proposing: ["/noise"])
        try channel.writeInbound(ByteBuffer(string: Self.header))
        try channel.close().now()
        #expect(throws: ConnectionError(.closed, "")) { try future.now() }
    }

    @Test("a channel that never became active fails it when closed")
    func neverActive() throws {
        let channel = EmbeddedChannel()
        let future = Multistream.negotiate(on: channel, proposing: ["/noise"])
        _ = try? channel.close().now()
        channel.embeddedEventLoop.run()
        #expect(throws: ConnectionError(.closed, "")) { try future.now() }
    }

    @Test("a closed channel fails it")
    func alreadyClosed() throws {
        let channel = try self.activeChannel()
        try channel.close().now()
        let future = Multistream.negotiate(on: channel, proposing: ["/noise"])
        #expect(throws: ConnectionError(.closed, "")) { try future.now() }
    }

    @Test("the end of the peer's input during the negotiation fails it and closes the channel")
    func inputClosed() throws {
        let channel = try self.activeChannel()
        let future = Multistream.answer(on: channel, supporting: { ["/noise"] })
        try channel.writeInbound(ByteBuffer(string: Self.header))
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(throws: ConnectionError(.closed, "")) { try future.now() }
        #expect(!channel.isActive)
    }

    @Test("an optimistic proposal lets bytes flow at once and strips the answer", arguments: [1, 5, 1000])
    func optimistic(step: Int) throws {
        let channel = try self.activeChannel()
        let future = Multistream.propose("/noise", optimisticallyOn: channel)
        let collector = self.collecting(future, on: channel)
        #expect(try future.now() == "/noise")
        try channel.writeOutbound(ByteBuffer(string: "question"))
        #expect(try self.outbound(channel) == [Self.header + Self.noise, "question"])

        let stream = Array((Self.header + Self.noise + "answer").utf8)
        for start in stride(from: 0, to: stream.count, by: step) {
            try channel.writeInbound(ByteBuffer(bytes: stream[start..<min(start + step, stream.count)]))
        }
        #expect(collector.bytes == Array("answer".utf8))
        #expect(!self.isNegotiating(channel))
        #expect(channel.isActive)
    }

    @Test("an optimistic proposal that is refused closes the channel with an error")
    func optimisticRefused() throws {
        let channel = try self.activeChannel()
        let future = Multistream.propose("/noise", optimisticallyOn: channel)
        let collector = self.collecting(future, on: channel)
        try channel.writeInbound(ByteBuffer(string: Self.header + Self.na + "not for the protocol"))
        #expect(collector.errors.map { $0 as? ConnectionError } == [ConnectionError(.noCommonProtocol, "")])
        #expect(collector.bytes.isEmpty)
        #expect(!channel.isActive)
    }

    @Test("damaged negotiations never trap, are answered with little, and pass on what is left once", arguments: 0..<4 as Range<UInt64>)
    func damaged(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let texts = [
            Self.header + Self.noise, Self.header + "\u{3}ls\n" + Self.noise, Self.header + "\u{c}/tls/1.0.0\n\n" + Self.na + Self.noise + "bytes of the protocol",
            Self.header + Self.na + Self.noise + "bytes of the protocol",
        ]
        for round in 0..<700 {
            let valid = Array((texts.randomElement(using: &generator) ?? Self.header).utf8)
            let bytes = round % 20 == 0 ? valid : generator.mutated(valid)
            let channel = try self.activeChannel()
            let isResponder = Bool.random(using: &generator)
            let future =
                isResponder
                ? Multistream.answer(on: channel, supporting: { ["/noise", "/other"] })
                : Multistream.negotiate(on: channel, proposing: ["/tls/1.0.0", "/noise"])
            let collector = self.collecting(future, on: channel)
            var rest = ByteBuffer(bytes: bytes)
            while let piece = rest.readSlice(length: min(rest.readableBytes, Int.random(in: 1...30, using: &generator))), piece.readableBytes > 0 {
                if channel.isActive { try channel.writeInbound(piece) }
            }
            #expect(bytes.suffix(collector.bytes.count).elementsEqual(collector.bytes))
            #expect(try self.outbound(channel).reduce(0) { $0 + $1.utf8.count } < 1000)
            _ = try? channel.finish(acceptAlreadyClosed: true)
        }
    }
}
