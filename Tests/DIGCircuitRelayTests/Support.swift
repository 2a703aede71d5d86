import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGNetTesting
import DIGSwarm
import DIGTCP
import DIGTestSupport
import Logging
import NIOCore
import NIOPosix
import Synchronization

@testable import DIGCircuitRelay

/// What the swarm does about idle connections, as the module asks for it.
struct Protector: ConnectionProtector {
    var swarm: Swarm
    func protect(_ peer: PeerID, tag: String) { self.swarm.protect(peer, tag: tag) }
    func unprotect(_ peer: PeerID, tag: String) { self.swarm.unprotect(peer, tag: tag) }
}

/// What the nodes of a test are connected by.
enum Medium: String, CaseIterable {
    case memory, tcp
}

/// A node with everything that has to do with relays.
struct Node {
    var identity: KeyPair
    var swarm: Swarm
    var circuits: CircuitRelayTransport

    var peer: PeerID { self.swarm.localPeer }
    /// Where others dial it directly.
    var address: Multiaddr { self.swarm.listenAddresses.first { !$0.isCircuit } ?? Multiaddr(components: []) }
    /// `<address>/p2p/<peer>/p2p-circuit`, of a relay.
    var circuit: Multiaddr { CircuitAddress(relayAddress: self.address, relay: self.peer).circuit }

    func circuit(to other: Node) -> Multiaddr { self.circuit.withPeerID(other.peer) }

    /// Connects through `relay`.
    func connect(to other: Node, through relay: Node) async throws -> any Connection {
        try await self.swarm.connect(to: other.peer, addresses: [relay.circuit(to: other)])
    }
}

/// The nodes of one test.
final class Nodes: Sendable {
    static let echo: ProtocolID = "/test/echo/1.0.0"

    let medium: Medium
    let group = MultiThreadedEventLoopGroup.singleton
    private let network = MemoryNetwork()
    private let state = Mutex<(swarms: [Swarm], services: [RelayService], tasks: [Task<Void, any Error>])>(([], [], []))

    init(_ medium: Medium) { self.medium = medium }

    func make(
        listening: Bool = true, logger: Logger = Logger(label: "test"), _ configure: (inout SwarmConfiguration) -> Void = { _ in }
    ) async throws -> Node {
        var configuration = SwarmConfiguration()
        configuration.redundantConnectionGrace = .milliseconds(500)
        configure(&configuration)
        let transport: any Transport =
            switch self.medium {
            case .memory: MemoryTransport(network: self.network, group: self.group)
            case .tcp: TCPTransport(group: self.group)
            }
        let circuits = CircuitRelayTransport(logger: logger)
        let identity = try KeyPair.generate()
        let swarm = Swarm(identity: identity, transports: [transport, circuits], group: self.group, configuration: configuration, logger: logger)
        circuits.attach(dialer: swarm, router: swarm, protector: Protector(swarm: swarm))
        swarm.register(Self.echo) { stream, _ in
            stream.eventLoop.makeCompletedFuture { try stream.pipeline.syncOperations.addHandler(EchoHandler()) }
        }
        self.state.withLock { $0.swarms.append(swarm) }
        if listening {
            try await swarm.listen(on: [Multiaddr(self.medium == .memory ? "/memory/0" : "/ip4/127.0.0.1/tcp/0")])
        }
        return Node(identity: identity, swarm: swarm, circuits: circuits)
    }

    /// A node that does not listen and trusts `relays` to be at private addresses.
    func makeClient(of relays: Node..., logger: Logger = Logger(label: "test")) async throws -> Node {
        let node = try await self.make(listening: false, logger: logger)
        node.circuits.configuredRelays = Set(relays.map(\.peer))
        return node
    }

    /// A node that relays.
    func makeRelay(_ configure: (inout RelayServiceConfiguration) -> Void = { _ in }) async throws -> (Node, RelayService) {
        let node = try await self.make()
        return (node, self.serve(on: node, configure))
    }

    func serve(on node: Node, _ configure: (inout RelayServiceConfiguration) -> Void = { _ in }) -> RelayService {
        var configuration = RelayServiceConfiguration()
        configuration.bytesPerSecond = nil
        configure(&configuration)
        let service = RelayService(
            identity: node.identity, dialer: node.swarm, router: node.swarm, protector: Protector(swarm: node.swarm), addresses: { node.swarm.listenAddresses },
            configuration: configuration, logger: Logger(label: "test"))
        service.setEnabled(true)
        self.state.withLock { $0.services.append(service) }
        return service
    }

    func run(_ client: RelayClient) {
        let task = Task { try await client.run() }
        self.state.withLock { $0.tasks.append(task) }
    }

    /// Ends every node; all connections, streams, handshakes and dials must be gone.
    func end() async throws {
        let (nodes, services, tasks) = self.state.withLock { $0 }
        for task in tasks { task.cancel() }
        for task in tasks { _ = await task.result }
        for service in services { service.stop() }
        for node in nodes { await node.shutdown() }
        for node in nodes {
            try await eventually {
                let statistics = node.statistics
                return statistics.openConnections == 0 && statistics.openStreams == 0 && statistics.inboundHandshakes == 0
                    && statistics.pendingDials == 0
            }
        }
        for service in services { try await eventually { service.statistics.circuits == 0 && service.statistics.reservations == 0 } }
    }
}

/// Runs `body` with nodes that are ended, and checked for leaks, afterwards.
func withNodes(_ medium: Medium = .tcp, _ body: (Nodes) async throws -> Void) async throws {
    let nodes = Nodes(medium)
    do {
        try await body(nodes)
    } catch {
        try? await nodes.end()
        throw error
    }
    try await nodes.end()
}

/// Sends back what arrives, no faster than the peer takes it, and ends its side when the peer has.
final class EchoHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer

    private var isReadHeld = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.writeAndFlush(data, promise: nil) }

    func read(context: ChannelHandlerContext) {
        if context.channel.isWritable { context.read() } else { self.isReadHeld = true }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard context.channel.isWritable, self.isReadHeld else { return }
        self.isReadHeld = false
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(mode: .output, promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Sends `byteCount` bytes of a known pattern, as fast as they are taken, ends its side, and compares what comes until the other side ends.
final class PatternHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let piece = 16 * 1024
    private let block: ByteBuffer
    private let byteCount: Int
    private let expected: Int
    private var sent = 0
    private var received = 0
    private let promise: EventLoopPromise<Int>

    struct Differs: Error { var at: Int }

    init(sending byteCount: Int, expecting expected: Int, promise: EventLoopPromise<Int>) {
        self.byteCount = byteCount
        self.expected = expected
        self.promise = promise
        // A period that is no power of two, so that a piece at the wrong place shows.
        self.block = ByteBuffer(bytes: (0..<(251 + Self.piece)).map { UInt8($0 % 251) })
    }

    func handlerAdded(context: ChannelHandlerContext) { if context.channel.isActive { self.send(context) } }
    func channelActive(context: ChannelHandlerContext) { self.send(context) }
    func channelWritabilityChanged(context: ChannelHandlerContext) { self.send(context) }

    private func send(_ context: ChannelHandlerContext) {
        guard self.sent < self.byteCount || self.byteCount == 0 else { return }
        while self.sent < self.byteCount, context.channel.isWritable {
            let count = min(Self.piece, self.byteCount - self.sent)
            guard let piece = self.block.getSlice(at: self.sent % 251, length: count) else { return }
            self.sent += count
            context.writeAndFlush(self.wrapOutboundOut(piece), promise: nil)
        }
        if self.sent == self.byteCount { context.close(mode: .output, promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        while bytes.readableBytes > 0 {
            let count = min(bytes.readableBytes, Self.piece)
            guard let part = bytes.readSlice(length: count), let wanted = self.block.getSlice(at: self.received % 251, length: count) else { return }
            if part != wanted {
                self.promise.fail(Differs(at: self.received))
                context.close(promise: nil)
                return
            }
            self.received += count
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { self.promise.succeed(self.received) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.promise.fail(ChannelError.ioOnClosedChannel) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { self.promise.fail(error) }
}

extension Connection {
    /// Sends bytes over an echo stream and returns how many came back, compared.
    func echo(_ byteCount: Int) async throws -> Int {
        let answer = self.eventLoop.makePromise(of: Int.self)
        do {
            _ = try await self.openStream(speaking: [Nodes.echo]) { stream, _ in
                stream.eventLoop.makeCompletedFuture {
                    try stream.pipeline.syncOperations.addHandler(PatternHandler(sending: byteCount, expecting: byteCount, promise: answer))
                }
            }
        } catch {
            answer.fail(error)
            throw error
        }
        return try await answer.futureResult.get()
    }
}
