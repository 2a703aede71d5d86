import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTestSupport
import DIGWebSocket
import Foundation
import Logging
import NIOCore
import NIOPosix

let echo: ProtocolID = "/test/echo/1.0.0"

/// A node with WebSockets only that answers ``echo``.
func makeNode(_ configure: (inout WebSocketConfiguration) -> Void = { _ in }) throws -> Swarm {
    let group = MultiThreadedEventLoopGroup.singleton
    var configuration = WebSocketConfiguration()
    configure(&configuration)
    var limits = SwarmConfiguration()
    limits.closeTimeout = .seconds(2)
    let swarm = Swarm(
        identity: try KeyPair.generate(), transports: [try WebSocketTransport(group: group, configuration: configuration)], group: group,
        configuration: limits, logger: Logger(label: "test"))
    swarm.register(echo) { stream, _ in
        stream.eventLoop.makeCompletedFuture { try stream.pipeline.syncOperations.addHandler(EchoHandler()) }
    }
    return swarm
}

/// Ends the nodes; nothing may be left.
func end(_ nodes: Swarm...) async throws {
    for node in nodes { await node.shutdown() }
    for node in nodes {
        try await eventually {
            let statistics = node.statistics
            return statistics.openConnections == 0 && statistics.inboundHandshakes == 0 && statistics.pendingDials == 0
        }
    }
}

final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.writeAndFlush(data, promise: nil) }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(mode: .output, promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Sends bytes, ends its side, and collects what comes until the other side ends.
final class ExchangeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let bytes: ByteBuffer
    private let promise: EventLoopPromise<ByteBuffer>
    private var received = ByteBuffer()

    init(sending bytes: ByteBuffer, promise: EventLoopPromise<ByteBuffer>) {
        self.bytes = bytes
        self.promise = promise
    }

    func handlerAdded(context: ChannelHandlerContext) {
        context.writeAndFlush(self.wrapOutboundOut(self.bytes), promise: nil)
        context.close(mode: .output, promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        self.received.writeBuffer(&bytes)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { self.promise.succeed(self.received) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.promise.fail(ChannelError.ioOnClosedChannel) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { self.promise.fail(error) }
}

extension Connection {
    /// Sends `bytes` over an echo stream and returns what comes back.
    func exchange(_ bytes: ByteBuffer) async throws -> ByteBuffer {
        let answer = self.eventLoop.makePromise(of: ByteBuffer.self)
        do {
            _ = try await self.openStream(speaking: [echo]) { stream, _ in
                stream.eventLoop.makeCompletedFuture {
                    try stream.pipeline.syncOperations.addHandler(ExchangeHandler(sending: bytes, promise: answer))
                }
            }
        } catch {
            answer.fail(error)
            throw error
        }
        return try await answer.futureResult.get()
    }
}

/// A TCP connection of the test's own that collects what comes.
final class RawClient: Sendable {
    let channel: any Channel
    /// Everything received, once the other end has closed.
    let received: EventLoopFuture<String>

    init(to address: Multiaddr) async throws {
        guard let port = address.components.compactMap({ if case .tcp(let port) = $0 { port } else { nil } }).first else { throw NeverHappened() }
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = loop.makePromise(of: String.self)
        self.received = promise.futureResult
        self.channel = try await ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Collector(promise: promise)) }
            }
            .connect(host: "127.0.0.1", port: Int(port)).get()
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let promise: EventLoopPromise<String>
        private var text = ""
        init(promise: EventLoopPromise<String>) { self.promise = promise }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) { self.text += String(buffer: self.unwrapInboundIn(data)) }
        func channelInactive(context: ChannelHandlerContext) { self.promise.succeed(self.text) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
