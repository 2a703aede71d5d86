import DIGNet
import NIOCore
import NIOEmbedded
import Testing

@testable import DIGNoise

@Suite("Noise frames")
struct NoiseHandlerTests {
    private func frames(from channel: EmbeddedChannel) throws -> [ByteBuffer] {
        var frames: [ByteBuffer] = []
        while var bytes = try channel.readOutbound(as: ByteBuffer.self) {
            while let frame = bytes.readLengthPrefixedSlice(as: UInt16.self) { frames.append(frame) }
            #expect(bytes.readableBytes == 0)
        }
        return frames
    }

    private func deliver(_ frame: ByteBuffer, to channel: EmbeddedChannel) throws {
        var bytes = ByteBuffer()
        try bytes.writeLengthPrefixed(as: UInt16.self) { $0.writeImmutableBuffer(frame) }
        try channel.writeInbound(bytes)
    }

    @Test("carry 10 MiB written and delivered in odd sizes")
    func bulk() throws {
        let pair = try SecuredPair()
        let total = 10 * 1024 * 1024
        let pattern = ByteBuffer(bytes: (0..<total).map { UInt8(truncatingIfNeeded: $0 ^ ($0 >> 8) ^ ($0 >> 16)) })
        var rest = pattern
        var promiseCount = 0
        var sizes = [1, 12, 65_536, 0, 65_519, 65_520, 131_039, 7, 300_001, 16_384].makeIterator()
        var flushEvery = 0
        while rest.readableBytes > 0 {
            var size = sizes.next()
            if size == nil {
                sizes = [12, 65_536, 12, 65_536, 12, 999].makeIterator()
                size = sizes.next()
            }
            guard let part = rest.readSlice(length: min(size ?? 1, rest.readableBytes)) else { break }
            let promise = pair.channels.dialer.eventLoop.makePromise(of: Void.self)
            promise.futureResult.assumeIsolated().whenSuccess { promiseCount += 1 }
            pair.channels.dialer.write(part, promise: promise)
            flushEvery += 1
            if flushEvery.isMultiple(of: 5) { pair.channels.dialer.flush() }
        }
        pair.channels.dialer.flush()
        try pair.channels.exchange(step: 50_021)
        #expect(pair.atListener.bytes == pattern)
        #expect(promiseCount == flushEvery, "every write is reported once")
        #expect(pair.atListener.errors.isEmpty)
    }

    @Test("pack writes: a header and its body make one frame, and one flush one write")
    func packing() throws {
        let pair = try SecuredPair()
        pair.channels.dialer.write(ByteBuffer(repeating: 1, count: 12), promise: nil)
        pair.channels.dialer.write(ByteBuffer(repeating: 2, count: 1000), promise: nil)
        #expect(try pair.channels.dialer.readOutbound(as: ByteBuffer.self) == nil, "nothing leaves before the flush")
        pair.channels.dialer.flush()
        let frames = try self.frames(from: pair.channels.dialer)
        #expect(frames.map(\.readableBytes) == [1012 + 16])
        try self.deliver(frames[0], to: pair.channels.listener)
        #expect(pair.atListener.bytes.readableBytes == 1012)
    }

    @Test("have at most 65535 bytes")
    func maximum() throws {
        let pair = try SecuredPair()
        pair.channels.dialer.writeAndFlush(ByteBuffer(repeating: 7, count: 65_519 * 2 + 1), promise: nil)
        #expect(try self.frames(from: pair.channels.dialer).map(\.readableBytes) == [65_535, 65_535, 17])
    }

    @Test("that arrive together are passed on as one buffer")
    func together() throws {
        let pair = try SecuredPair()
        for _ in 0..<3 { pair.channels.dialer.writeAndFlush(ByteBuffer(repeating: 7, count: 100), promise: nil) }
        var bytes = ByteBuffer()
        while let next = try pair.channels.dialer.readOutbound(as: ByteBuffer.self) { bytes.writeImmutableBuffer(next) }
        try pair.channels.listener.writeInbound(bytes)
        #expect(pair.atListener.readCount == 1)
        #expect(pair.atListener.bytes.readableBytes == 300)
    }

    @Test("may be empty")
    func empty() throws {
        let pair = try SecuredPair()
        let promise = pair.channels.dialer.eventLoop.makePromise(of: Void.self)
        pair.channels.dialer.writeAndFlush(ByteBuffer(), promise: promise)
        try promise.futureResult.now()
        try pair.channels.exchange()
        #expect(pair.atListener.bytes.readableBytes == 0)
    }

    @Test("replayed close the channel")
    func replayed() throws {
        let pair = try SecuredPair()
        pair.channels.dialer.writeAndFlush(ByteBuffer(string: "pay"), promise: nil)
        let frames = try self.frames(from: pair.channels.dialer)
        try self.deliver(frames[0], to: pair.channels.listener)
        try self.deliver(frames[0], to: pair.channels.listener)
        self.expectRefused(pair, after: "pay")
    }

    @Test("reordered close the channel")
    func reordered() throws {
        let pair = try SecuredPair()
        pair.channels.dialer.writeAndFlush(ByteBuffer(string: "one"), promise: nil)
        pair.channels.dialer.writeAndFlush(ByteBuffer(string: "two"), promise: nil)
        let frames = try self.frames(from: pair.channels.dialer)
        try self.deliver(frames[1], to: pair.channels.listener)
        self.expectRefused(pair, after: "")
        if pair.channels.listener.isActive { try self.deliver(frames[0], to: pair.channels.listener) }
        #expect(pair.atListener.bytes.readableBytes == 0)
    }

    @Test("reflected close the channel")
    func reflected() throws {
        let pair = try SecuredPair()
        pair.channels.listener.writeAndFlush(ByteBuffer(string: "mine"), promise: nil)
        try self.deliver(self.frames(from: pair.channels.listener)[0], to: pair.channels.listener)
        self.expectRefused(pair, after: "")
    }

    @Test("with a flipped bit close the channel; what came before in the same read is passed on")
    func altered() throws {
        for position in [0, 1, 2, 10, 17] {
            let pair = try SecuredPair()
            pair.channels.dialer.writeAndFlush(ByteBuffer(string: "good"), promise: nil)
            var bytes = try #require(try pair.channels.dialer.readOutbound(as: ByteBuffer.self))
            pair.channels.dialer.writeAndFlush(ByteBuffer(string: "x"), promise: nil)
            var bad = try #require(try pair.channels.dialer.readOutbound(as: ByteBuffer.self))
            pair.channels.dialer.writeAndFlush(ByteBuffer(repeating: 0, count: 1000), promise: nil)
            let next = try #require(try pair.channels.dialer.readOutbound(as: ByteBuffer.self))
            bad.setInteger(try #require(bad.getInteger(at: position, as: UInt8.self)) ^ 1, at: position)
            bytes.writeImmutableBuffer(bad)
            bytes.writeImmutableBuffer(next)
            try pair.channels.listener.writeInbound(bytes)
            self.expectRefused(pair, after: "good")
        }
    }

    @Test("shorter than a tag close the channel", arguments: 0..<16)
    func tooShort(length: Int) throws {
        let pair = try SecuredPair()
        try self.deliver(ByteBuffer(repeating: 0, count: length), to: pair.channels.listener)
        self.expectRefused(pair, after: "")
    }

    private func expectRefused(_ pair: SecuredPair, after text: String, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(String(buffer: pair.atListener.bytes) == text, sourceLocation: sourceLocation)
        #expect(
            pair.atListener.errors.map { $0 as? ConnectionError } == [ConnectionError(.protocolViolation, "")], sourceLocation: sourceLocation)
        #expect(!pair.channels.listener.isActive, sourceLocation: sourceLocation)
    }

    @Test("cut off by the end of the connection are an error")
    func truncated() throws {
        let pair = try SecuredPair()
        try pair.channels.listener.writeInbound(ByteBuffer(bytes: [0, 100, 1, 2, 3]))
        try pair.channels.listener.close().now()
        #expect(pair.atListener.errors.map { $0 as? ConnectionError } == [ConnectionError(.closed, "")])
    }

    @Test("reach the channel before the flush when much is written, so that its writability counts them")
    func backPressure() throws {
        let pair = try SecuredPair()
        let counter = WriteCounter()
        try pair.channels.dialer.pipeline.syncOperations.addHandler(counter, position: .first)
        for _ in 0..<16 { pair.channels.dialer.write(ByteBuffer(repeating: 1, count: 32 * 1024), promise: nil) }
        #expect(counter.byteCount >= 256 * 1024)
        pair.channels.dialer.flush()
        try pair.channels.exchange()
        #expect(pair.atListener.bytes.readableBytes == 512 * 1024)
    }

    @Test("not flushed when the channel closes fail their writes")
    func unflushed() throws {
        let pair = try SecuredPair()
        let promise = pair.channels.dialer.eventLoop.makePromise(of: Void.self)
        pair.channels.dialer.write(ByteBuffer(string: "lost"), promise: promise)
        try pair.channels.dialer.close().now()
        #expect(throws: ChannelError.self) { try promise.futureResult.now() }
    }
}
