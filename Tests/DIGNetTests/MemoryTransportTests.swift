import DIGMultiformats
import DIGNet
import DIGNetTesting
import NIOCore
import Testing

@Suite("Memory transport", .timeLimit(.minutes(1)))
struct MemoryTransportTests {
    let transport = MemoryTransport(network: MemoryNetwork())

    @Test("carries bytes both ways between loops, and the end of them")
    func roundTrip() async throws {
        let accepted = self.transport.group.next().makePromise(of: (any Channel).self)
        let listener = try await self.transport.listen(on: Multiaddr("/memory/0")) { channel, remote in
            #expect(remote.components.count == 1)
            return channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(EchoHandler())
                accepted.succeed(channel)
            }
        }
        #expect(listener.address != (try Multiaddr("/memory/0")))
        let loop = self.transport.group.next()
        let answer = loop.makePromise(of: ByteBuffer.self)
        let bytes = ByteBuffer(repeating: 7, count: 1_000_000)
        let channel = try await self.transport.dial(listener.address, on: loop) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(CollectHandler(byteCount: bytes.readableBytes, promise: answer))
            }
        }
        #expect(channel.eventLoop === loop)
        try await channel.writeAndFlush(bytes)
        #expect(try await answer.futureResult.get() == bytes)
        try await channel.close()
        try await accepted.futureResult.get().closeFuture.get()
        await listener.close()
    }

    @Test("refuses where nobody listens, and a number twice")
    func refused() async throws {
        let nothing: @Sendable (any Channel) -> EventLoopFuture<Void> = { $0.eventLoop.makeSucceededVoidFuture() }
        await #expect(throws: IOError.self) {
            _ = try await self.transport.dial(Multiaddr("/memory/7"), on: self.transport.group.next(), initializer: nothing)
        }
        let listener = try await self.transport.listen(on: Multiaddr("/memory/7")) { channel, _ in nothing(channel) }
        await #expect(throws: IOError.self) {
            _ = try await self.transport.listen(on: Multiaddr("/memory/7")) { channel, _ in nothing(channel) }
        }
        await listener.close()
        try await self.transport.listen(on: Multiaddr("/memory/7")) { channel, _ in nothing(channel) }.close()
    }

    @Test("understands memory addresses only")
    func understands() throws {
        #expect(self.transport.canDial(try Multiaddr("/memory/1")))
        #expect(!self.transport.canDial(try Multiaddr("/memory/1/tcp/1")))
        #expect(!self.transport.canListen(on: try Multiaddr("/ip4/127.0.0.1/tcp/1")))
    }
}

private final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.writeAndFlush(data, promise: nil) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

private final class CollectHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let byteCount: Int
    private let promise: EventLoopPromise<ByteBuffer>
    private var received = ByteBuffer()

    init(byteCount: Int, promise: EventLoopPromise<ByteBuffer>) {
        self.byteCount = byteCount
        self.promise = promise
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        self.received.writeBuffer(&bytes)
        if self.received.readableBytes >= self.byteCount { self.promise.succeed(self.received) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.promise.fail(ChannelError.ioOnClosedChannel) }
}
