import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGNetTesting
import DIGTCP
import DIGTestSupport
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import DIGSwarm

/// What the nodes of a test are connected by.
enum Medium: String, CaseIterable, CustomTestStringConvertible {
    case memory, tcp
    var testDescription: String { self.rawValue }
}

/// The nodes of one test.
final class Nodes: Sendable {
    static let echo: ProtocolID = "/test/echo/1.0.0"

    let medium: Medium
    let group = MultiThreadedEventLoopGroup.singleton
    private let network = MemoryNetwork()
    private let all = Mutex<[Swarm]>([])

    init(_ medium: Medium) { self.medium = medium }

    var transport: any Transport {
        switch self.medium {
        case .memory: MemoryTransport(network: self.network, group: self.group)
        case .tcp: TCPTransport(group: self.group)
        }
    }

    /// The memory medium, for what stands on it.
    var memory: MemoryTransport { MemoryTransport(network: self.network, group: self.group) }

    /// A node that listens and answers ``echo``.
    func make(
        listening: Bool = true, transports: [any Transport]? = nil, logger: Logger = Logger(label: "test"), _ configure: (inout SwarmConfiguration) -> Void = { _ in }
    ) async throws -> Swarm {
        var configuration = SwarmConfiguration()
        configuration.redundantConnectionGrace = .milliseconds(500)
        configure(&configuration)
        let swarm = Swarm(
            identity: try KeyPair.generate(), transports: transports ?? [self.transport], group: self.group, configuration: configuration,
            logger: logger)
        swarm.register(Self.echo) { stream, _ in
            stream.eventLoop.makeCompletedFuture { try stream.pipeline.syncOperations.addHandler(EchoHandler()) }
        }
        self.all.withLock { $0.append(swarm) }
        if listening {
            try await swarm.listen(on: [Multiaddr(self.medium == .memory ? "/memory/0" : "/ip4/127.0.0.1/tcp/0")])
        }
        return swarm
    }

    /// Ends every node; all connections, streams, handshakes and dials must be gone.
    func end() async throws {
        let nodes = self.all.withLock { $0 }
        for node in nodes { await node.shutdown() }
        for node in nodes {
            try await eventually {
                let statistics = node.statistics
                return statistics.openConnections == 0 && statistics.openStreams == 0 && statistics.inboundHandshakes == 0
                    && statistics.pendingDials == 0
            }
        }
    }
}

extension Swarm {
    func connect(to other: Swarm) async throws -> any Connection {
        try await self.connect(to: other.localPeer, addresses: other.listenAddresses)
    }
}

/// Runs `body` with nodes that are ended, and checked for leaks, afterwards.
func withNodes(_ medium: Medium, _ body: (Nodes) async throws -> Void) async throws {
    let nodes = Nodes(medium)
    do {
        try await body(nodes)
    } catch {
        try? await nodes.end()
        throw error
    }
    try await nodes.end()
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
    func echo(_ bytes: ByteBuffer) async throws -> ByteBuffer {
        let answer = self.eventLoop.makePromise(of: ByteBuffer.self)
        do {
            _ = try await self.openStream(speaking: [Nodes.echo]) { stream, _ in
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

    /// Opens an echo stream and leaves it open.
    func openEcho() async throws -> any Channel {
        try await self.openStream(speaking: [Nodes.echo]) { stream, _ in stream.eventLoop.makeSucceededVoidFuture() }
    }
}
