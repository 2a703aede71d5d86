import NIOCore
import NIOEmbedded
import Testing

@testable import DIGNet

@Suite("Message streams")
struct MessageStreamTests {
    private let channel = EmbeddedChannel()

    private func makeStream(limit: Int = 16) throws -> MessageStream {
        try self.channel.connect(to: SocketAddress(unixDomainSocketPath: "x")).wait()
        return try MessageStream(on: self.channel, limit: limit, timeout: .seconds(5))
    }

    /// What the future holds by now.
    private func result<Value: Sendable>(_ future: EventLoopFuture<Value>) -> Result<Value, any Error>? {
        let box = NIOLoopBoundBox<Result<Value, any Error>?>(nil, eventLoop: self.channel.eventLoop)
        future.whenComplete { box.value = $0 }
        return box.value
    }

    private func code<Value>(_ result: Result<Value, any Error>?) -> ConnectionError.Code? {
        if case .failure(let error as ConnectionError) = result { error.code } else { nil }
    }

    @Test("A message written carries its length, and comes out of the other end byte by byte or all at once")
    func roundTrip() throws {
        let messages = try self.makeStream()
        messages.write(ByteBuffer(string: "hello"))
        let framed = try #require(try self.channel.readOutbound(as: ByteBuffer.self))
        #expect(framed == ByteBuffer(bytes: [5] + Array("hello".utf8)))

        let first = messages.read()
        for byte in framed.readableBytesView { try self.channel.writeInbound(ByteBuffer(bytes: [byte])) }
        #expect(try self.result(first)?.get() == ByteBuffer(string: "hello"))

        try self.channel.writeInbound(ByteBuffer(bytes: [1, 0x61, 1, 0x62, 0]))
        for expected in ["a", "b", ""] {
            #expect(try self.result(messages.read())?.get() == ByteBuffer(string: expected))
        }
    }

    @Test("A message over the limit, and a length that is no varint, fail the read and reset the stream", arguments: [[17], [0x80, 0x00], [UInt8](repeating: 0xFF, count: 10)])
    func refused(_ bytes: [UInt8]) throws {
        let messages = try self.makeStream()
        let read = messages.read()
        try self.channel.writeInbound(ByteBuffer(bytes: bytes))
        #expect(self.code(self.result(read)) == .protocolViolation)
        #expect(!self.channel.isActive)
        #expect(self.code(self.result(messages.read())) == .protocolViolation)
    }

    @Test("Every strict prefix of a message waits, and fails when the peer ends the stream", arguments: 0..<6)
    func prefixes(_ count: Int) throws {
        let messages = try self.makeStream()
        try self.channel.writeInbound(ByteBuffer(bytes: ([5] + Array("hello".utf8)).prefix(count)))
        let read = messages.read()
        #expect(self.result(read) == nil)
        self.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(self.code(self.result(read)) == .closed)
    }

    @Test("A read that gets nothing in time fails and resets the stream")
    func timeout() throws {
        let messages = try self.makeStream()
        let read = messages.read()
        self.channel.embeddedEventLoop.advanceTime(by: .seconds(5))
        #expect(self.code(self.result(read)) == .timedOut)
        #expect(!self.channel.isActive)
    }

    @Test("After the hand-over the next handler gets the rest, in order, with the end of input")
    func handOver() throws {
        final class Collector: ChannelInboundHandler, Sendable {
            typealias InboundIn = ByteBuffer
            let received = NIOLoopBoundBox<[String]>.makeEmptyBox()
            func channelRead(context: ChannelHandlerContext, data: NIOAny) { self.received.value.append(String(buffer: self.unwrapInboundIn(data))) }
            func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) { self.received.value.append("end") }
        }
        let collector = Collector()
        let messages = try self.makeStream()
        try self.channel.writeInbound(ByteBuffer(string: "\u{1}arest"))
        #expect(try self.result(messages.read())?.get() == ByteBuffer(string: "a"))
        self.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        let done = messages.handOver { channel in
            channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(collector) }
        }
        self.channel.embeddedEventLoop.run()
        try self.result(done)?.get()
        try self.channel.writeInbound(ByteBuffer(string: "more"))
        #expect(collector.received.value == ["rest", "end", "more"])
    }
}

extension NIOLoopBoundBox where Value == [String] {
    fileprivate static func makeEmptyBox() -> NIOLoopBoundBox<[String]> { NIOLoopBoundBox([], eventLoop: EmbeddedEventLoop()) }
}
