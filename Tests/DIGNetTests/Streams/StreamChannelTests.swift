import DIGNet
import NIOCore
import NIOEmbedded
import Testing

@Suite("Stream channel")
struct StreamChannelTests {
    /// Records what a stream tells its multiplexer, and takes bytes as one would.
    private final class Multiplexer: StreamChannelParent {
        var consumed = 0
        var readyCount = 0
        var isClosed = false
        var sent = ByteBuffer()
        var hasFinished = false

        func streamBecameReady(_ stream: StreamChannel) { self.readyCount += 1 }
        func stream(_ stream: StreamChannel, consumed byteCount: Int) { self.consumed += byteCount }
        func streamDidClose(_ stream: StreamChannel) { self.isClosed = true }

        func take(_ byteCount: Int = .max, from stream: StreamChannel) {
            var pieces: [StreamWriteQueue.Piece] = []
            stream.takeOutbound(byteCount, into: &pieces)
            for piece in pieces {
                self.sent.writeImmutableBuffer(piece.bytes)
                piece.promise?.succeed()
            }
            stream.outboundTaken()
            if stream.wantsToFinish {
                stream.takeFinish()?.succeed()
                self.hasFinished = true
                stream.outputFinished()
            }
        }
    }

    /// Writes down the events of a pipeline.
    private final class Recorder: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        var events: [String] = []
        var onRead: ((ChannelHandlerContext) -> Void)?

        func channelActive(context: ChannelHandlerContext) { self.events.append("active") }
        func channelInactive(context: ChannelHandlerContext) { self.events.append("inactive") }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.events.append("read \(String(buffer: self.unwrapInboundIn(data)))")
            self.onRead?(context)
        }
        func channelReadComplete(context: ChannelHandlerContext) { self.events.append("complete") }
        func channelWritabilityChanged(context: ChannelHandlerContext) { self.events.append("writable \(context.channel.isWritable)") }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { self.events.append("error") }
        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            switch event as? ChannelEvent {
            case .inputClosed: self.events.append("inputClosed")
            case .outputClosed: self.events.append("outputClosed")
            case nil: break
            }
        }
    }

    private let parent = EmbeddedChannel()
    private let multiplexer = Multiplexer()
    private let recorder = Recorder()

    private func makeStream(autoRead: Bool = true, activate: Bool = true) throws -> StreamChannel {
        let stream = StreamChannel(
            id: 1, parent: self.parent, multiplexer: self.multiplexer, waterMark: .init(low: 5, high: 10))
        if !autoRead { try stream.syncOptions?.setOption(.autoRead, value: false) }
        try stream.pipeline.syncOperations.addHandler(self.recorder)
        if activate { _ = stream.initialize { $0.eventLoop.makeSucceededVoidFuture() } }
        return stream
    }

    private func receive(_ strings: String..., on stream: StreamChannel) {
        for string in strings { stream.receive(ByteBuffer(string: string)) }
        stream.deliver()
        stream.completeBatch()
    }

    private func outcome(_ future: EventLoopFuture<Void>) -> Result<Void, any Error>? {
        var outcome: Result<Void, any Error>?
        future.assumeIsolated().whenComplete { outcome = $0 }
        return outcome
    }

    @Test("is active only after its initializer, and keeps what arrived before")
    func initialization() throws {
        let stream = try self.makeStream(activate: false)
        let promise = self.parent.eventLoop.makePromise(of: Void.self)
        let opened = stream.initialize { _ in promise.futureResult }
        self.receive("early", on: stream)
        #expect(!stream.isActive && self.recorder.events.isEmpty)
        promise.succeed()
        #expect(stream.isActive)
        #expect(self.recorder.events == ["active", "read early", "complete"])
        #expect(self.multiplexer.consumed == 5)
        var channel: (any Channel)?
        opened.assumeIsolated().whenSuccess { channel = $0 }
        #expect(channel === stream)
    }

    @Test("is closed when its initializer fails")
    func failedInitialization() throws {
        let stream = try self.makeStream(activate: false)
        let opened = stream.initialize { $0.eventLoop.makeFailedFuture(ChannelError.eof) }.map { _ in }
        guard case .failure = self.outcome(opened) else { Issue.record("expected a failure"); return }
        #expect(self.multiplexer.isClosed && self.recorder.events.isEmpty)
        self.parent.embeddedEventLoop.run()
        #expect(self.outcome(stream.closeFuture) != nil)
    }

    @Test("fires nothing before read() and credits only what it fired")
    func manualReading() throws {
        let stream = try self.makeStream(autoRead: false)
        try stream.syncOptions?.setOption(.maxMessagesPerRead, value: 2)
        self.receive("a", "b", "c", on: stream)
        #expect(self.recorder.events == ["active"])
        #expect(self.multiplexer.consumed == 0 && stream.bufferedInboundByteCount == 3)
        stream.pipeline.read()
        #expect(self.recorder.events == ["active", "read a", "read b", "complete"])
        #expect(self.multiplexer.consumed == 2)
        stream.read()
        #expect(self.recorder.events.suffix(2) == ["read c", "complete"])
        stream.read()  // waits for the next
        self.receive("d", "e", "f", on: stream)
        #expect(self.recorder.events.suffix(3) == ["read d", "read e", "complete"])
        #expect(stream.bufferedInboundByteCount == 1)
    }

    @Test("answers a read() made inside channelRead in the next batch")
    func readInsideRead() throws {
        let stream = try self.makeStream(autoRead: false)
        try stream.syncOptions?.setOption(.maxMessagesPerRead, value: 1)
        self.recorder.onRead = { $0.read() }
        self.receive("a", "b", "c", on: stream)
        stream.read()
        #expect(self.recorder.events == ["active", "read a", "complete", "read b", "complete", "read c", "complete"])
    }

    @Test("resumes when autoRead is turned on")
    func autoReadOn() throws {
        let stream = try self.makeStream(autoRead: false)
        self.receive("a", on: stream)
        try stream.syncOptions?.setOption(.autoRead, value: true)
        #expect(self.recorder.events == ["active", "read a", "complete"])
    }

    @Test("hands out flushed bytes only, in slices, each write's promise with its last byte")
    func writing() throws {
        let stream = try self.makeStream()
        self.multiplexer.readyCount = 0
        let first = stream.write(ByteBuffer(string: "hello"))
        let empty = stream.write(ByteBuffer())
        let second = stream.write(ByteBuffer(string: "world"))
        #expect(self.multiplexer.readyCount == 0 && stream.flushedByteCount == 0)
        stream.flush()
        #expect(self.multiplexer.readyCount == 1 && stream.flushedByteCount == 10)
        self.multiplexer.take(4, from: stream)
        #expect(self.outcome(first) == nil)
        self.multiplexer.take(1, from: stream)
        #expect(self.outcome(first) != nil && self.outcome(empty) != nil && self.outcome(second) == nil)
        self.multiplexer.take(100, from: stream)
        #expect(self.outcome(second) != nil)
        #expect(self.multiplexer.sent == ByteBuffer(string: "helloworld"))
        #expect(self.outcome(stream.writeAndFlush(ByteBuffer())) != nil)
    }

    @Test("turns unwritable above the high water mark and writable below the low one")
    func writability() throws {
        let stream = try self.makeStream()
        stream.write(ByteBuffer(repeating: 0, count: 10), promise: nil)
        #expect(stream.isWritable)
        stream.writeAndFlush(ByteBuffer(repeating: 0, count: 1), promise: nil)
        #expect(!stream.isWritable)
        self.multiplexer.take(6, from: stream)
        #expect(!stream.isWritable)
        self.multiplexer.take(1, from: stream)
        #expect(stream.isWritable)
        #expect(self.recorder.events == ["active", "writable false", "writable true"])
    }

    @Test("finishes its output after what was written, then ends with the peer's FIN")
    func gracefulEnd() throws {
        let stream = try self.makeStream()
        let written = stream.write(ByteBuffer(string: "bye"))
        let finished = stream.close(mode: .output)
        #expect(self.outcome(finished) == nil)
        guard case .failure = self.outcome(stream.write(ByteBuffer(string: "late"))) else { Issue.record("written"); return }
        self.multiplexer.take(from: stream)
        #expect(self.outcome(written) != nil && self.outcome(finished) != nil)
        #expect(self.multiplexer.hasFinished && self.multiplexer.sent == ByteBuffer(string: "bye"))
        #expect(stream.isActive)
        stream.receive(ByteBuffer(string: "x"))
        stream.receiveFinish()
        stream.deliver()
        stream.completeBatch()
        #expect(self.recorder.events == ["active", "outputClosed", "read x", "complete", "inputClosed", "inactive"])
        #expect(self.multiplexer.isClosed && !stream.isActive)
    }

    @Test("fires inputClosed after the last byte, however late that is read")
    func lateReader() throws {
        let stream = try self.makeStream(autoRead: false)
        stream.receive(ByteBuffer(string: "x"))
        stream.receiveFinish()
        stream.deliver()
        stream.completeBatch()
        #expect(self.recorder.events == ["active"])
        stream.read()
        #expect(self.recorder.events == ["active", "read x", "complete", "inputClosed"])
        #expect(stream.isActive)
        stream.writeAndFlush(ByteBuffer(string: "still open"), promise: nil)
        self.multiplexer.take(from: stream)
        #expect(self.multiplexer.sent == ByteBuffer(string: "still open"))
    }

    @Test("closing from inside channelRead fires nothing more and fails what waits")
    func closeInsideRead() throws {
        let stream = try self.makeStream()
        let unsent = stream.writeAndFlush(ByteBuffer(string: "unsent"))
        let finishing = stream.close(mode: .output)
        self.recorder.onRead = { $0.close(promise: nil) }
        self.receive("a", "b", on: stream)
        #expect(self.recorder.events == ["active", "read a", "inactive"])
        for future in [unsent, finishing, stream.write(ByteBuffer()), stream.close()] {
            guard case .failure = self.outcome(future) else { Issue.record("expected a failure"); continue }
        }
        #expect(self.multiplexer.isClosed)
    }

    @Test("writing from inside channelRead and channelActive keeps the order")
    func writeInsideRead() throws {
        let stream = try self.makeStream()
        self.recorder.onRead = { $0.writeAndFlush(NIOAny(ByteBuffer(string: "pong")), promise: nil) }
        self.receive("ping", on: stream)
        self.multiplexer.take(from: stream)
        #expect(self.multiplexer.sent == ByteBuffer(string: "pong"))
    }

    @Test("a reset delivers what arrived before, then the error")
    func reset() throws {
        let stream = try self.makeStream(autoRead: false)
        let unsent = stream.writeAndFlush(ByteBuffer(string: "unsent"))
        self.receive("in time", on: stream)
        stream.receiveReset(ConnectionError(.closed, "reset"))
        #expect(self.recorder.events == ["active", "read in time", "complete", "error", "inactive"])
        guard case .failure(let error) = self.outcome(unsent) else { Issue.record("expected a failure"); return }
        #expect(error as? ConnectionError == ConnectionError(.closed, ""))
    }

    @Test("close(mode: .input) drops what arrives and credits nothing")
    func closeInput() throws {
        let stream = try self.makeStream()
        let closed = stream.close(mode: .input)
        #expect(self.outcome(closed) != nil)
        self.receive("dropped", on: stream)
        #expect(self.recorder.events == ["active", "inputClosed"])
        #expect(self.multiplexer.consumed == 0 && stream.bufferedInboundByteCount == 0)
        stream.close(mode: .output, promise: nil)
        self.multiplexer.take(from: stream)
        #expect(self.multiplexer.isClosed)
    }

    @Test("options: known ones round, others fail")
    func options() throws {
        let stream = try self.makeStream()
        let options = try #require(stream.syncOptions)
        #expect(try options.getOption(.autoRead))
        #expect(try options.getOption(.allowRemoteHalfClosure))
        try options.setOption(.allowRemoteHalfClosure, value: true)
        #expect(throws: ChannelError.self) { try options.setOption(.allowRemoteHalfClosure, value: false) }
        #expect(throws: ChannelError.self) { try options.setOption(.connectTimeout, value: .seconds(1)) }
        try options.setOption(.writeBufferWaterMark, value: .init(low: 1, high: 2))
        #expect(try options.getOption(.writeBufferWaterMark).high == 2)
        #expect(stream.parent === self.parent)
        #expect(try stream.getOption(.bufferedWritableBytes).wait() == 0)
    }

    @Test("frees itself once closed")
    func noLeak() throws {
        weak var leaked: StreamChannel?
        do {
            let stream = try self.makeStream()
            leaked = stream
            stream.close(promise: nil)
        }
        self.parent.embeddedEventLoop.run()
        #expect(leaked == nil)
    }
}
