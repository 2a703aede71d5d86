import DIGNet
import NIOCore
import NIOPosix
import Testing

@testable import DIGYamux

@Suite("Yamux over TCP", .timeLimit(.minutes(2)))
struct YamuxLoopbackTests {
    /// A connection over the loopback interface, and the channels below its two ends.
    private struct Link {
        var dialer: any StreamMultiplexer
        var dialerChannel: any Channel
        var listenerChannel: any Channel
        var server: any Channel

        func close() async throws {
            try? await self.dialerChannel.close()
            try await self.server.close()
        }
    }

    private func connect(
        _ inbound: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> Link {
        let group = MultiThreadedEventLoopGroup.singleton
        let accepted = group.next().makePromise(of: (any Channel).self)
        let server = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                Yamux.multiplex(channel, as: .listener, configuration: .init(), inboundStreamInitializer: inbound)
                    .map { _ in accepted.succeed(channel) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let address = try #require(server.localAddress)
        let channel = try await ClientBootstrap(group: group).connect(to: address).get()
        let dialer = try await Yamux.multiplex(channel, as: .dialer, configuration: .init()) {
            $0.close()
        }.get()
        return Link(
            dialer: dialer, dialerChannel: channel, listenerChannel: try await accepted.futureResult.get(), server: server)
    }

    private func handler(of channel: any Channel) async throws -> NIOLoopBound<YamuxHandler> {
        try await channel.eventLoop.submit {
            NIOLoopBound(
                try channel.pipeline.syncOperations.handler(type: YamuxHandler.self), eventLoop: channel.eventLoop)
        }.get()
    }

    private func openAsync(_ link: Link) async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
        let channel = try await link.dialer.openStream { $0.eventLoop.makeSucceededVoidFuture() }.get()
        return try await channel.eventLoop.submit {
            try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }.get()
    }

    private static let echo: @Sendable (any Channel) -> EventLoopFuture<Void> = { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(EchoHandler()) }
    }

    @Test("a hundred streams echo at once")
    func concurrentEcho() async throws {
        let link = try await self.connect(Self.echo)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for number in 0..<100 {
                tasks.addTask {
                    let stream = try await self.openAsync(link)
                    let count = 20
                    try await stream.executeThenClose { inbound, outbound in
                        for index in 0..<count {
                            try await outbound.write(ByteBuffer(repeating: UInt8((number + index) % 256), count: 5000))
                        }
                        outbound.finish()
                        var received = 0
                        for try await bytes in inbound {
                            for byte in bytes.readableBytesView {
                                guard byte == UInt8((number + received / 5000) % 256) else { Issue.record("wrong byte"); return }
                                received += 1
                            }
                        }
                        #expect(received == count * 5000)
                    }
                }
            }
            try await tasks.waitForAll()
        }
        let handler = try await self.handler(of: link.dialerChannel)
        let left = try await link.dialer.eventLoop.submit { handler.value.streamCount }.get()
        #expect(left == 0)
        try await link.close()
    }

    @Test("a slow reader bounds what both sides hold while 100 MiB go through one stream")
    func slowReader() async throws {
        let total = 100 * 1024 * 1024
        let done = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Int.self)
        let link = try await self.connect { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.syncOptions?.setOption(.autoRead, value: false)
                try channel.syncOptions?.setOption(.maxMessagesPerRead, value: 1)
                try channel.pipeline.syncOperations.addHandler(StepwiseReader(expected: total, done: done))
            }
        }
        let stream = try await link.dialer.openStream { $0.eventLoop.makeSucceededVoidFuture() }.get()
        let peak = try await self.send(total, on: stream)
        let peakUnread = try await done.futureResult.get()
        #expect(peak <= 256 * 1024 + 64 * 1024)
        #expect(peakUnread <= 16 * 1024 * 1024)
        try await link.close()
    }

    /// Writes as long as the stream is writable; returns the most that waited in it.
    private func send(_ total: Int, on stream: any Channel) async throws -> Int {
        let done = stream.eventLoop.makePromise(of: Int.self)
        try await stream.eventLoop.submit {
            let writer = WritableWriter(total: total, done: done)
            try stream.pipeline.syncOperations.addHandler(writer)
        }.get()
        return try await done.futureResult.get()
    }

    @Test("executeThenClose on both sides ends every stream; nothing is left after a thousand")
    func churn() async throws {
        let link = try await self.connect(Self.echo)
        for batch in 0..<20 {
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for _ in 0..<50 {
                    tasks.addTask {
                        let stream = try await self.openAsync(link)
                        try await stream.executeThenClose { inbound, outbound in
                            try await outbound.write(ByteBuffer(integer: batch))
                            outbound.finish()
                            var received = ByteBuffer()
                            for try await bytes in inbound { received.writeImmutableBuffer(bytes) }
                            #expect(received == ByteBuffer(integer: batch))
                        }
                    }
                }
                try await tasks.waitForAll()
            }
        }
        let handler = try await self.handler(of: link.dialerChannel)
        #expect(try await link.dialer.eventLoop.submit { handler.value.streamCount }.get() == 0)
        try await link.close()
    }

    @Test("close() ends the connection at both ends")
    func close() async throws {
        let link = try await self.connect(Self.echo)
        let stream = try await link.dialer.openStream { $0.eventLoop.makeSucceededVoidFuture() }.get()
        link.dialer.close()
        try await stream.closeFuture.get()
        try await link.dialerChannel.closeFuture.get()
        try await link.listenerChannel.closeFuture.get()
        await #expect(throws: ConnectionError(.closed, "")) {
            try await link.dialer.openStream { $0.eventLoop.makeSucceededVoidFuture() }.get()
        }
        try await link.server.close()
    }
}

/// Reads one buffer at a time, each in a turn of its own, and reports the most that was seen waiting.
private final class StepwiseReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let expected: Int
    private let done: EventLoopPromise<Int>
    private var received = 0
    private var peak = 0

    init(expected: Int, done: EventLoopPromise<Int>) {
        self.expected = expected
        self.done = done
    }

    func channelActive(context: ChannelHandlerContext) { context.read() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.received += self.unwrapInboundIn(data).readableBytes
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.peak = max(self.peak, (context.channel as? StreamChannel)?.bufferedInboundByteCount ?? .max)
        if self.received == self.expected { self.done.succeed(self.peak) }
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.value.eventLoop.execute { context.value.read() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.done.fail(ChannelError.eof)
    }
}

private final class WritableWriter: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private var remaining: Int
    private let done: EventLoopPromise<Int>
    private let chunk = ByteBuffer(repeating: 0xA5, count: 64 * 1024)
    private var peak = 0

    init(total: Int, done: EventLoopPromise<Int>) {
        self.remaining = total
        self.done = done
    }

    func handlerAdded(context: ChannelHandlerContext) { self.write(context) }
    func channelWritabilityChanged(context: ChannelHandlerContext) { self.write(context) }

    private func write(_ context: ChannelHandlerContext) {
        while self.remaining > 0, context.channel.isWritable {
            self.remaining -= self.chunk.readableBytes
            let isLast = self.remaining <= 0
            let promise = isLast ? context.eventLoop.makePromise(of: Void.self) : nil
            context.writeAndFlush(self.wrapOutboundOut(self.chunk), promise: promise)
            self.peak = max(self.peak, (context.channel as? StreamChannel)?.bufferedOutboundByteCount ?? .max)
            if let promise {
                let peak = self.peak
                promise.futureResult.map { peak }.cascade(to: self.done)
            }
        }
    }
}
