import DIGCircuitRelay
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTCP
import Logging
import NIOCore
import NIOPosix
import Testing

/// Circuit relay v2 with py-libp2p (`Interop/py-libp2p/relay.py`), which is the relay, the peer that is reached and the peer that dials in turn.
@Suite("circuit relay with py-libp2p", .serialized, .timeLimit(.minutes(5)))
struct CircuitRelayTests {
    private struct Node {
        var identity: KeyPair
        var swarm: Swarm
        var circuits: CircuitRelayTransport
        var peer: PeerID { self.swarm.localPeer }
    }

    private func makeNode(trusting relays: Set<PeerID> = []) throws -> Node {
        let group = MultiThreadedEventLoopGroup.singleton
        let logger = Logger(label: "dig.interop")
        let circuits = CircuitRelayTransport(logger: logger)
        // Relays on loopback are not for strangers to name.
        circuits.configuredRelays = relays
        let identity = try KeyPair.generate()
        let swarm = Swarm(identity: identity, transports: [TCPTransport(group: group), circuits], group: group, logger: logger)
        circuits.attach(dialer: swarm, router: swarm)
        swarm.register(Echo.protocolID) { stream, _ in
            stream.eventLoop.makeCompletedFuture { try stream.pipeline.syncOperations.addHandler(EchoResponder()) }
        }
        return Node(identity: identity, swarm: swarm, circuits: circuits)
    }

    private func withNodes(_ nodes: [Node], _ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch {
            for node in nodes { await node.swarm.shutdown() }
            throw error
        }
        for node in nodes { await node.swarm.shutdown() }
    }

    /// A node that relays, and where it is: with `/p2p/…` at the end.
    private func makeRelay() async throws -> (Node, RelayService, Multiaddr) {
        let relay = try self.makeNode()
        let address = try #require(try await relay.swarm.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0")]).first)
        let service = RelayService(
            identity: relay.identity, dialer: relay.swarm, router: relay.swarm, addresses: { relay.swarm.listenAddresses },
            logger: Logger(label: "dig.interop"))
        service.setEnabled(true)
        return (relay, service, address.withPeerID(relay.peer))
    }

    private func echo(_ byteCount: Int, on connection: any Connection) async throws {
        let promise = connection.eventLoop.makePromise(of: Void.self)
        do {
            _ = try await connection.openStream(speaking: [Echo.protocolID]) { stream, _ in
                stream.eventLoop.makeCompletedFuture {
                    try stream.pipeline.syncOperations.addHandler(EchoInitiator(byteCount: byteCount, promise: promise))
                }
            }
        } catch {
            promise.fail(error)
            throw error
        }
        try await promise.futureResult.get()
    }

    @Test("its relay serves us: reservation with a valid voucher, circuit between two of us, 10 MiB there and back")
    func theirRelay() async throws {
        let peer = try InteropPeer(script: "py-libp2p/relay.py", arguments: ["serve"])
        defer { peer.stop() }
        let listening = try #require(try await peer.reports(until: "listening").last)
        let address = try Multiaddr(try #require(listening.addresses?.first))
        let relay = try #require(address.peerID)
        let circuit = address.encapsulating(.p2pCircuit)
        let (a, b) = (try self.makeNode(trusting: [relay]), try self.makeNode(trusting: [relay]))
        try await self.withNodes([a, b]) {
            // Nobody is there yet.
            await #expect(throws: CircuitRelayError(.noReservation, "")) {
                _ = try await a.circuits.dial(circuit.withPeerID(b.peer), on: MultiThreadedEventLoopGroup.singleton.next()) {
                    $0.eventLoop.makeSucceededVoidFuture()
                }
            }
            try await b.swarm.listen(on: [circuit])
            let connection = try await a.swarm.connect(to: b.peer, addresses: [circuit])
            #expect(connection.isRelayed)
            #expect(a.circuits.limit(of: connection)?.byteCount ?? 0 > 0)
            try await self.echo(10 << 20, on: connection)
        }
    }

    @Test("reserves at our relay, and we reach it through it")
    func reachThem() async throws {
        let (relay, service, address) = try await self.makeRelay()
        let a = try self.makeNode(trusting: [relay.peer])
        try await self.withNodes([a, relay]) {
            let peer = try InteropPeer(script: "py-libp2p/relay.py", arguments: ["reach", "\(address)"])
            defer { peer.stop() }
            let reports = try await peer.reports(until: "listening")
            let reserved = try #require(reports.first { $0.event == "reserved" })
            #expect(reserved.message == "100")
            #expect((3590...3610).contains(reserved.count ?? 0))
            #expect(reserved.bytes == 4 << 30)
            #expect(reserved.seconds == 21_600)
            #expect(service.statistics.reservations == 1)
            let target = try PeerID(try #require(reports.last?.peer))
            let connection = try await a.swarm.connect(to: target, addresses: [address.encapsulating(.p2pCircuit)])
            #expect(connection.remotePeer == target)
            #expect(connection.isRelayed)
            try await self.echo(10 << 20, on: connection)
            #expect(service.statistics.bytesRelayed > 20 << 20)
        }
        service.stop()
    }

    @Test("dials us through our relay, 10 MiB there and back")
    func theyDial() async throws {
        let (relay, service, address) = try await self.makeRelay()
        let b = try self.makeNode(trusting: [relay.peer])
        try await self.withNodes([b, relay]) {
            try await b.swarm.listen(on: [address.encapsulating(.p2pCircuit)])
            let circuit = address.encapsulating(.p2pCircuit).withPeerID(b.peer)
            let peer = try InteropPeer(script: "py-libp2p/relay.py", arguments: ["dial", "\(circuit)"])
            defer { peer.stop() }
            let reports = try await peer.reports(until: "done")
            let connected = try #require(reports.first { $0.event == "connected" })
            #expect(connected.peer == b.peer.description)
            #expect(reports.first { $0.event == "bulk" }?.bytes == 10 << 20)
            #expect(service.statistics.circuitsOpened == 1)
        }
        service.stop()
    }
}
