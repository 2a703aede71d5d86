import DIGCircuitRelay
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTCP
import Foundation
import Logging
import NIOCore
import NIOPosix
import Testing

/// A `dig-nat node` that relays, and its clients, which live in this process.
@Suite("a node that relays", .serialized, .timeLimit(.minutes(5)))
struct RelayTests {
    static let mebibyte = 1 << 20

    #if os(Linux)
    @Test("a thousand idle reservations take less than 100 MiB, and one more than it has places for is refused")
    func idleReservations() async throws {
        let workspace = try Workspace()
        let relay = try await RelayNode.start(workspace)
        let before = try relay.process.memory()
        let clients = try await RelayClients.reserved(1000, at: relay)
        // Both sides have said who they are: nothing more is to come.
        try await eventually(within: .seconds(30)) { clients.swarms.allSatisfy { $0.identify(of: relay.peer) != nil } }
        let after = try relay.process.memory()
        print("a relay with \(clients.swarms.count) reservations: \(after), before: \(before)")
        #expect(after.peak < 100 * Self.mebibyte, "\(after); before: \(before)")

        let more = try await RelayClients.reserved(24, at: relay)
        let late = try RelayClients.client(of: relay)
        let error = await #expect(throws: CircuitRelayError.self) { _ = try await late.listen(at: relay) }
        #expect(error?.code == .reservationRefused)
        // The others have kept theirs.
        let visitor = try RelayClients.client(of: relay)
        for index in [0, 500, 999] {
            let connection = try await visitor.connect(to: clients.swarms[index].localPeer, through: relay)
            #expect(connection.isRelayed)
        }
        for client in [late, visitor] { await client.stop() }
        await more.stop()
        await clients.stop()
    }
    #endif

    @Test("a relay whose connections are few gives fewer reservations, and the connections that it has go on")
    func fewConnections() async throws {
        let workspace = try Workspace()
        let relay = try await RelayNode.start(workspace, ["--max-connections", "12"])
        let clients = try await RelayClients.reserved(9, at: relay)
        let late = try RelayClients.client(of: relay)
        let error = await #expect(throws: CircuitRelayError.self) { _ = try await late.listen(at: relay) }
        #expect(error?.code == .reservationRefused)
        for swarm in clients.swarms { _ = try await late.connect(to: swarm.localPeer, through: relay) }
        #expect(clients.swarms.allSatisfy { $0.connection(to: relay.peer) != nil })
        await late.stop()
        await clients.stop()
    }

    /// Ten peers behind the relay, ten who write to each.
    @Test("a hundred circuits share a relay's rate fairly: the slowest has at least half of the mean")
    func fairness() async throws {
        let workspace = try Workspace()
        let relay = try await RelayNode.start(workspace, ["--relay-rate", "8MiB/s"])
        let targets = try await RelayClients.reserved(10, at: relay)
        let sink = ByteSink()
        for target in targets.swarms { sink.register(on: target) }
        var sources: [RelayClients.Client] = []
        for _ in 0..<10 {
            for target in targets.swarms {
                let source = try RelayClients.client(of: relay)
                let connection = try await source.connect(to: target.localPeer, through: relay)
                try await ByteSink.flood(connection)
                sources.append(source)
            }
        }
        try await eventually(within: .seconds(30)) { sink.counts.value.count == 100 && sink.counts.value.values.allSatisfy { $0 > 0 } }

        let (before, began) = (sink.counts.value, ContinuousClock.now)
        // 8 s: each carries ten times what one read may bring at once.
        _ = try await sink.counts.wait(for: "64 MiB") { counts in counts.values.reduce(0, +) - before.values.reduce(0, +) >= 64 << 20 ? () : nil }
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        let shares = sink.counts.value.map { Double($1 - (before[$0] ?? 0)) / seconds / 1024 }.sorted()
        let mean = shares.reduce(0, +) / Double(shares.count)
        print("100 circuits at 8 MiB/s, KiB/s each: least \(Int(shares[0])), mean \(Int(mean)), most \(Int(shares[99]))")
        #expect(shares[0] >= mean / 2, "\(shares)")
        #expect(mean * 100 < 1.1 * 8 * 1024)
        for source in sources { await source.stop() }
        await targets.stop()
    }
}

private func eventually(within limit: Duration, _ condition: () -> Bool) async throws {
    let end = ContinuousClock.now + limit
    while !condition() {
        try #require(ContinuousClock.now < end, "waited \(limit)")
        try await Task.sleep(for: .milliseconds(20))
    }
}

// MARK: The relay

/// `dig-nat node --serve-relay always`.
private struct RelayNode {
    let process: DigNatProcess
    let peer: PeerID
    /// `/ip4/127.0.0.1/tcp/<port>`.
    let address: Multiaddr

    static func start(_ workspace: Workspace, _ arguments: [String] = []) async throws -> RelayNode {
        let process = try workspace.start("relay", ["node", "--serve-relay", "always"] + arguments)
        let text = try await process.event("listening") { !$0["addresses"].array.isEmpty }["addresses"].array.first?.string
        let address = try Multiaddr(try #require(text))
        return RelayNode(process: process, peer: try #require(address.peerID), address: address.removingPeerID())
    }

    var circuit: Multiaddr { Multiaddr(components: self.address.components + [.p2p(self.peer.multihash), .p2pCircuit]) }
}

#if os(Linux)
extension DigNatProcess {
    struct Memory: CustomStringConvertible {
        /// Bytes resident, now and at most since the process began.
        var resident: Int
        var peak: Int
        var description: String { "\(self.resident >> 10) KiB resident, \(self.peak >> 10) KiB at most" }
    }

    func memory() throws -> Memory {
        let status = try String(contentsOfFile: "/proc/\(self.processID)/status", encoding: .utf8)
        func value(_ name: String) throws -> Int {
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix(name + ":") })
            return try #require(Int(line.split(whereSeparator: { $0 == " " || $0 == "\t" })[1])) << 10
        }
        return Memory(resident: try value("VmRSS"), peak: try value("VmHWM"))
    }
}
#endif

// MARK: Its clients

/// Keeps the connection to the relay.
private struct Protector: ConnectionProtector {
    var swarm: Swarm
    func protect(_ peer: PeerID, tag: String) { self.swarm.protect(peer, tag: tag) }
    func unprotect(_ peer: PeerID, tag: String) { self.swarm.unprotect(peer, tag: tag) }
}

private struct RelayClients {
    struct Client {
        let swarm: Swarm
        let circuits: CircuitRelayTransport

        /// Gets a reservation.
        func listen(at relay: RelayNode) async throws { try await self.swarm.listen(on: [relay.circuit]) }

        func connect(to peer: PeerID, through relay: RelayNode) async throws -> any Connection {
            try await self.swarm.connect(to: peer, addresses: [relay.circuit.withPeerID(peer)])
        }

        func stop() async { await self.swarm.shutdown() }
    }

    var clients: [Client]
    var swarms: [Swarm] { self.clients.map(\.swarm) }

    static func client(of relay: RelayNode) throws -> Client {
        let group = MultiThreadedEventLoopGroup.singleton
        let logger = Logger(label: "test")
        let circuits = CircuitRelayTransport(logger: logger)
        var configuration = SwarmConfiguration()
        configuration.closeTimeout = .seconds(1)
        let swarm = Swarm(
            identity: try KeyPair.generate(), transports: [TCPTransport(group: group), circuits], group: group, configuration: configuration, logger: logger)
        circuits.attach(dialer: swarm, router: swarm, protector: Protector(swarm: swarm))
        circuits.configuredRelays = [relay.peer]
        return Client(swarm: swarm, circuits: circuits)
    }

    /// So many peers, each with a reservation.
    static func reserved(_ count: Int, at relay: RelayNode) async throws -> RelayClients {
        let clients = try (0..<count).map { _ in try self.client(of: relay) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, client) in clients.enumerated() {
                // Not more handshakes at once than the relay takes.
                if index >= 32 { try await group.next() }
                group.addTask { try await client.listen(at: relay) }
            }
            try await group.waitForAll()
        }
        return RelayClients(clients: clients)
    }

    func stop() async {
        await withTaskGroup(of: Void.self) { group in
            for client in self.clients { group.addTask { await client.stop() } }
        }
    }
}

/// Takes whatever comes on its streams, and counts it.
private final class ByteSink: Sendable {
    static let protocolID: ProtocolID = "/test/sink/1.0.0"
    /// By the channel's number.
    let counts = Watched<[ObjectIdentifier: Int]>([:])

    func register(on swarm: Swarm) {
        let counts = self.counts
        swarm.register(Self.protocolID) { stream, _ in
            let id = ObjectIdentifier(stream)
            return stream.eventLoop.makeCompletedFuture {
                try stream.pipeline.syncOperations.addHandler(Counter { count in counts.update { $0[id, default: 0] += count } })
            }
        }
    }

    /// Writes on a new stream for as long as the connection is open.
    static func flood(_ connection: any Connection) async throws {
        _ = try await connection.openStream(speaking: [self.protocolID]) { stream, _ in
            stream.eventLoop.makeCompletedFuture { try stream.pipeline.syncOperations.addHandler(Flood()) }
        }
    }

    private final class Counter: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let report: (Int) -> Void
        init(_ report: @escaping (Int) -> Void) { self.report = report }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) { self.report(self.unwrapInboundIn(data).readableBytes) }
    }

    private final class Flood: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private static let chunk = ByteBuffer(repeating: 7, count: 32 * 1024)

        func handlerAdded(context: ChannelHandlerContext) { if context.channel.isActive { self.write(context) } }
        func channelActive(context: ChannelHandlerContext) { self.write(context) }
        func channelWritabilityChanged(context: ChannelHandlerContext) { self.write(context) }

        private func write(_ context: ChannelHandlerContext) {
            while context.channel.isActive, context.channel.isWritable { context.writeAndFlush(self.wrapOutboundOut(Self.chunk), promise: nil) }
        }
    }
}
