import DIGNet
import NIOCore
import NIOEmbedded
import Testing

@testable import DIGYamux

@Suite("Yamux handler")
struct YamuxHandlerTests {
    private func collector(_ channel: any Channel) throws -> CollectHandler {
        try channel.pipeline.syncOperations.handler(type: CollectHandler.self)
    }

    private func headers(_ channel: EmbeddedChannel) throws -> [YamuxHeader] {
        var reader = YamuxFrameReader()
        var headers: [YamuxHeader] = []
        while var bytes = try channel.readOutbound(as: ByteBuffer.self) {
            while let element = try reader.next(from: &bytes) {
                if case .header(let header) = element { headers.append(header) }
            }
        }
        return headers
    }

    @Test("carries bytes both ways and ends when both halves are finished")
    func echo() throws {
        let pair = try EmbeddedPair { try $0.pipeline.syncOperations.addHandler(EchoHandler()) }
        let stream = try pair.open { try $0.pipeline.syncOperations.addHandler(CollectHandler()) }
        #expect(stream.isActive && pair.accepted.channels.count == 1)
        let collector = try self.collector(stream)
        let written = stream.writeAndFlush(ByteBuffer(string: "hello"))
        stream.close(mode: .output, promise: nil)
        try pair.exchange()
        try written.wait()
        #expect(collector.received == ByteBuffer(string: "hello"))
        #expect(collector.events == ["outputClosed", "inputClosed", "inactive"])
        #expect(pair.dialerHandler.streamCount == 0 && pair.listenerHandler.streamCount == 0)
        pair.finish()
    }

    @Test("the first frame of a stream carries SYN and what the initializer wrote")
    func eagerData() throws {
        let pair = try EmbeddedPair()
        _ = pair.dialerHandler.openStream { channel in
            channel.writeAndFlush(ByteBuffer(string: "first"), promise: nil)
            return channel.eventLoop.makeSucceededVoidFuture()
        }
        #expect(try self.headers(pair.dialer) == [YamuxHeader(kind: .data, flags: .syn, streamID: 1, length: 5)])
        pair.finish()
    }

    @Test("cuts writes into frames that fill a Noise message, and joins small ones")
    func framing() throws {
        let pair = try EmbeddedPair()
        let stream = try pair.open()
        stream.write(ByteBuffer(repeating: 1, count: 10), promise: nil)
        stream.write(ByteBuffer(repeating: 2, count: 20), promise: nil)
        stream.writeAndFlush(ByteBuffer(repeating: 3, count: 131_000), promise: nil)
        let lengths = try self.headers(pair.dialer).map(\.length)
        #expect(lengths == [65_507, 65_507, 16])
        pair.finish()
    }

    @Test("streams with bytes take turns")
    func fairness() throws {
        let pair = try EmbeddedPair()
        let streams = [try pair.open(), try pair.open(), try pair.open()]
        // Nothing is sent inside a batch, so all three are ready when it ends.
        pair.dialer.pipeline.fireChannelRead(ByteBuffer(bytes: [0]))
        for stream in streams { stream.writeAndFlush(ByteBuffer(repeating: 0, count: 131_014), promise: nil) }
        #expect(try self.headers(pair.dialer).isEmpty)
        pair.dialer.pipeline.fireChannelReadComplete()
        #expect(try self.headers(pair.dialer).map(\.streamID) == [1, 3, 5, 1, 3, 5])
        pair.finish()
    }

    @Test("stops at the peer's window, becomes unwritable, and goes on when the peer reads")
    func backPressure() throws {
        let pair = try EmbeddedPair {
            try $0.syncOptions?.setOption(.autoRead, value: false)
            try $0.pipeline.syncOperations.addHandler(CollectHandler())
        }
        let stream = try pair.open()
        stream.writeAndFlush(ByteBuffer(repeating: 1, count: 262_144), promise: nil)
        #expect(stream.isWritable)
        let blocked = stream.writeAndFlush(ByteBuffer(repeating: 1, count: 300_000))
        #expect(!stream.isWritable)
        try pair.exchange()
        #expect(pair.listenerHandler.bufferedInboundByteCount == 262_144)
        let accepted = try #require(pair.accepted.channels.first)
        var isWritten = false
        blocked.assumeIsolated().whenSuccess { isWritten = true }
        #expect(!isWritten)
        for _ in 0..<6 {
            accepted.read()
            try pair.exchange()
        }
        #expect(isWritten && stream.isWritable)
        #expect(try self.collector(accepted).received.readableBytes == 562_144)
        pair.finish()
    }

    @Test("close(mode: .all) resets the stream at the other end, what was sent before is read")
    func reset() throws {
        let pair = try EmbeddedPair { try $0.pipeline.syncOperations.addHandler(CollectHandler()) }
        let stream = try pair.open()
        let collector = try self.collector(try #require(pair.accepted.channels.first))
        stream.writeAndFlush(ByteBuffer(string: "last words"), promise: nil)
        stream.close(promise: nil)
        try pair.exchange()
        #expect(collector.received == ByteBuffer(string: "last words"))
        #expect(collector.events == ["error closed", "inactive"])
        #expect(pair.dialerHandler.streamCount == 0 && pair.listenerHandler.streamCount == 0)
        pair.finish()
    }

    @Test("half-closure works towards either side")
    func halfClosure() throws {
        let pair = try EmbeddedPair { try $0.pipeline.syncOperations.addHandler(CollectHandler()) }
        let stream = try pair.open { try $0.pipeline.syncOperations.addHandler(CollectHandler()) }
        let accepted = try #require(pair.accepted.channels.first)
        let (ours, theirs) = (try self.collector(stream), try self.collector(accepted))
        accepted.close(mode: .output, promise: nil)
        try pair.exchange()
        #expect(ours.events == ["inputClosed"] && theirs.events == ["outputClosed"])
        stream.writeAndFlush(ByteBuffer(string: "to a half-closed peer"), promise: nil)
        try pair.exchange()
        #expect(theirs.received == ByteBuffer(string: "to a half-closed peer"))
        stream.close(mode: .output, promise: nil)
        try pair.exchange()
        #expect(ours.events == ["inputClosed", "outputClosed", "inactive"])
        #expect(theirs.events == ["outputClosed", "inputClosed", "inactive"])
        pair.finish()
    }

    @Test("an initializer that fails resets the stream, on either side")
    func failingInitializer() throws {
        let pair = try EmbeddedPair { _ in throw ChannelError.eof }
        let stream = try pair.open()
        #expect(!stream.isActive)
        #expect(pair.dialerHandler.streamCount == 0 && pair.listenerHandler.streamCount == 0)
        let failed = pair.dialerHandler.openStream { $0.eventLoop.makeFailedFuture(ChannelError.eof) }
        try pair.exchange()
        #expect(throws: (any Error).self) { try failed.wait() }
        #expect(pair.dialerHandler.streamCount == 0)
        pair.finish()
    }

    @Test("a stream may be opened from the initializer of another")
    func openInsideInitializer() throws {
        let pair = try EmbeddedPair()
        let handler = NIOLoopBound(pair.dialerHandler, eventLoop: pair.loop)
        let opened = pair.dialerHandler.openStream { outer in
            handler.value.openStream { $0.eventLoop.makeSucceededVoidFuture() }.map { _ in }
        }
        try pair.exchange()
        #expect(try opened.wait().isActive)
        #expect(pair.accepted.channels.count == 2)
        pair.finish()
    }

    @Test("opens beyond the backlog wait for acknowledgements, and beyond that fail")
    func backlog() throws {
        var configuration = YamuxConfiguration()
        configuration.maximumUnacknowledgedStreams = 1
        configuration.maximumWaitingStreams = 1
        let pair = try EmbeddedPair(dialer: configuration)
        let first = try pair.open()
        let second = pair.dialerHandler.openStream { $0.eventLoop.makeSucceededVoidFuture() }
        let third = pair.dialerHandler.openStream { $0.eventLoop.makeSucceededVoidFuture() }
        #expect(throws: ConnectionError(.streamLimitExceeded, "")) { try third.wait() }
        try pair.exchange()
        #expect(pair.accepted.channels.count == 1)
        pair.accepted.channels[0].writeAndFlush(ByteBuffer(string: "acknowledged"), promise: nil)
        try pair.exchange()
        #expect(try second.wait().isActive && first.isActive)
        #expect(pair.accepted.channels.count == 2)
        pair.finish()
    }

    @Test("streams beyond the peer's limit are reset")
    func inboundLimit() throws {
        var configuration = YamuxConfiguration()
        configuration.maximumInboundStreams = 1
        let pair = try EmbeddedPair(listener: configuration)
        let first = try pair.open()
        let second = try pair.open()
        #expect(first.isActive && !second.isActive)
        pair.finish()
    }

    @Test("close() sends what the windows allow, then a go-away, then closes")
    func close() throws {
        let pair = try EmbeddedPair { try $0.pipeline.syncOperations.addHandler(CollectHandler()) }
        let stream = try pair.open { try $0.pipeline.syncOperations.addHandler(CollectHandler()) }
        let ours = try self.collector(stream)
        let theirs = try self.collector(try #require(pair.accepted.channels.first))
        let written = stream.writeAndFlush(ByteBuffer(repeating: 1, count: 100_000))
        pair.dialerHandler.close()
        try pair.exchange()
        try written.wait()
        #expect(!pair.dialer.isActive && !stream.isActive)
        #expect(ours.events == ["error closed", "inactive"])
        #expect(theirs.received.readableBytes == 100_000)
        let late = pair.dialerHandler.openStream { $0.eventLoop.makeSucceededVoidFuture() }
        #expect(throws: ConnectionError(.closed, "")) { try late.wait() }
        // The listener may open nothing any more, and closes when its last stream has ended.
        let refused = pair.listenerHandler.openStream { $0.eventLoop.makeSucceededVoidFuture() }
        #expect(throws: ConnectionError(.closed, "")) { try refused.wait() }
        pair.accepted.channels[0].close(promise: nil)
        pair.loop.run()
        #expect(!pair.listener.isActive)
        pair.finish()
    }

    @Test("streams end with an error when the connection is lost, and every promise is completed")
    func connectionLost() throws {
        let pair = try EmbeddedPair()
        let stream = try pair.open { try $0.pipeline.syncOperations.addHandler(CollectHandler()) }
        let collector = try self.collector(stream)
        stream.writeAndFlush(ByteBuffer(repeating: 1, count: 262_144), promise: nil)
        let unsent = stream.writeAndFlush(ByteBuffer(repeating: 1, count: 1))
        let finish = stream.close(mode: .output)
        pair.dialer.close(promise: nil)
        pair.loop.run()
        #expect(throws: (any Error).self) { try unsent.wait() }
        #expect(throws: (any Error).self) { try finish.wait() }
        #expect(collector.events == ["error closed", "inactive"])
        #expect(pair.dialerHandler.streamCount == 0)
        try stream.closeFuture.wait()
        pair.finish()
    }

    @Test("a peer that answers no ping loses the connection after 30 + 10 seconds")
    func idlePingTimeout() throws {
        let pair = try EmbeddedPair()
        pair.loop.advanceTime(by: .seconds(29))
        #expect(try self.headers(pair.dialer).isEmpty)
        pair.loop.advanceTime(by: .seconds(10))
        #expect(try self.headers(pair.dialer).map(\.kind) == [.ping])
        #expect(pair.dialer.isActive)
        pair.loop.advanceTime(by: .seconds(1))
        #expect(!pair.dialer.isActive)
        #expect(throws: ConnectionError(.timedOut, "")) { try pair.dialer.throwIfErrorCaught() }
        pair.finish()
    }

    @Test("a peer that answers no ping loses the connection after 10 + 10 seconds while streams are open")
    func pingTimeout() throws {
        let pair = try EmbeddedPair()
        let stream = try pair.open { try $0.pipeline.syncOperations.addHandler(CollectHandler()) }
        let collector = try self.collector(stream)
        pair.loop.advanceTime(by: .seconds(9))
        #expect(try self.headers(pair.dialer).isEmpty)
        pair.loop.advanceTime(by: .seconds(1))
        let ping = try #require(try self.headers(pair.dialer).first)
        #expect(ping.kind == .ping && ping.flags == .syn)
        pair.loop.advanceTime(by: .seconds(9))
        #expect(pair.dialer.isActive)
        pair.loop.advanceTime(by: .seconds(1))
        #expect(!pair.dialer.isActive)
        #expect(collector.events == ["error closed", "inactive"])
        #expect(throws: ConnectionError(.timedOut, "")) { try pair.dialer.throwIfErrorCaught() }
        pair.finish()
    }

    @Test("a peer that answers keeps the connection")
    func keepAlive() throws {
        let pair = try EmbeddedPair()
        for _ in 0..<300 {
            pair.loop.advanceTime(by: .seconds(1))
            try pair.exchange()
        }
        #expect(pair.dialer.isActive && pair.listener.isActive)
        pair.finish()
    }

    @Test("bytes handed over without a channelReadComplete are not left lying")
    func handedOverBytes() throws {
        let pair = try EmbeddedPair { try $0.pipeline.syncOperations.addHandler(EchoHandler()) }
        var bytes = ByteBuffer()
        bytes.writeYamuxHeader(YamuxHeader(kind: .data, flags: .syn, streamID: 1, length: 2))
        bytes.writeString("hi")
        pair.listener.pipeline.fireChannelRead(bytes)
        pair.loop.run()
        #expect(try self.headers(pair.listener).contains(YamuxHeader(kind: .data, flags: .ack, streamID: 1, length: 2)))
        pair.finish()
    }

    @Test("ten thousand streams, opened, used and closed, leave nothing behind")
    func churn() throws {
        let pair = try EmbeddedPair { try $0.pipeline.syncOperations.addHandler(EchoHandler()) }
        for index in 0..<10_000 {
            let stream = try pair.open()
            stream.writeAndFlush(ByteBuffer(integer: index), promise: nil)
            if index % 10 == 0 { stream.close(promise: nil) } else { stream.close(mode: .output, promise: nil) }
            try pair.exchange()
            pair.accepted.channels.removeAll()
            if index % 100 == 0 { pair.loop.advanceTime(by: .milliseconds(100)) }
        }
        #expect(pair.dialerHandler.streamCount == 0 && pair.listenerHandler.streamCount == 0)
        #expect(pair.dialer.isActive)
        pair.finish()
    }
}
