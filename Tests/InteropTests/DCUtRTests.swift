import DIGCircuitRelay
import DIGHolePunching
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTCP
import Logging
import NIOCore
import NIOPosix
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// DCUtR with py-libp2p (`Interop/py-libp2p/dcutr.py`) and go-libp2p (`Interop/kubo/dcutr.py`) through our relay, in both roles, on loopback:
/// messages, timing and the connection that comes of it; NATs are the business of the lab.
@Suite("punching with other implementations", .serialized, .timeLimit(.minutes(5)))
struct DCUtRTests {
    enum Implementation: String, CaseIterable {
        case pyLibp2p = "py-libp2p/dcutr.py"
        case kubo = "kubo/dcutr.py"
    }

    private struct Node {
        var identity: KeyPair
        var swarm: Swarm
        var circuits: CircuitRelayTransport
        var puncher: HolePuncher
        var peer: PeerID { self.swarm.localPeer }
    }

    private let logger = Logger(label: "dig.interop")

    /// A node on loopback that punches, and dials in no other way.
    ///
    /// - Parameters:
    ///   - acceptance: Whose dials get through, and where they seem to come from.
    private func makeNode(trusting relays: Set<PeerID> = [], acceptance: LoopbackTransport.Acceptance = .asTheyAre) async throws -> Node {
        let group = MultiThreadedEventLoopGroup.singleton
        let circuits = CircuitRelayTransport(logger: self.logger)
        circuits.configuredRelays = relays
        let identity = try KeyPair.generate()
        let swarm = Swarm(identity: identity, transports: [LoopbackTransport(base: TCPTransport(group: group), acceptance: acceptance), circuits], group: group, logger: self.logger)
        circuits.attach(dialer: swarm, router: swarm)
        swarm.register(Echo.protocolID) { stream, _ in
            stream.eventLoop.makeCompletedFuture { try stream.pipeline.syncOperations.addHandler(EchoResponder()) }
        }
        let addresses = try await swarm.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0")])
        var configuration = HolePunchingConfiguration()
        configuration.dialsDirectlyToo = false
        let puncher = HolePuncher(
            dialer: swarm, router: swarm, identity: identity, configuration: configuration, localAddresses: { _ in addresses },
            isOnSameNetwork: { _ in true }, logger: self.logger)
        return Node(identity: identity, swarm: swarm, circuits: circuits, puncher: puncher)
    }

    /// Runs `body` with a node, and a relay of ours where it has to be.
    private func withNodes(_ acceptance: LoopbackTransport.Acceptance = .asTheyAre, _ body: (_ node: Node, _ relay: Multiaddr, _ service: RelayService) async throws -> Void) async throws {
        let relay = try await self.makeNode()
        let service = RelayService(
            identity: relay.identity, dialer: relay.swarm, router: relay.swarm, addresses: { relay.swarm.listenAddresses }, logger: self.logger)
        service.setEnabled(true)
        let node = try await self.makeNode(trusting: [relay.peer], acceptance: acceptance)
        let punching = Task { try await node.puncher.run() }
        let address = try #require(relay.swarm.listenAddresses.first).withPeerID(relay.peer)
        let result: Result<Void, any Error>
        do { result = .success(try await body(node, address, service)) } catch { result = .failure(error) }
        punching.cancel()
        _ = await punching.result
        service.stop()
        for swarm in [node.swarm, relay.swarm] { await swarm.shutdown() }
        try result.get()
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

    /// Shows that the other end takes the direct connection for one.
    private func use(_ connection: any Connection, _ other: Implementation) async throws {
        switch other {
        case .pyLibp2p: try await self.echo(1 << 20, on: connection)
        case .kubo:
            // It has no echo.
            let stream = try await connection.openStream(speaking: ["/ipfs/ping/1.0.0"]) { stream, _ in stream.eventLoop.makeSucceededVoidFuture() }
            try await stream.close()
        }
    }

    /// Events up to the end of a punch, and then the direct connection.
    private func outcome(_ events: AsyncStream<PunchEvent>) async throws -> (side: PunchEvent.Side, attempts: Int, connection: any Connection) {
        var attempts = 0
        for await event in events {
            switch event.kind {
            case .started: attempts += 1
            case .succeeded(let connection, let method, _):
                #expect(method == .tcpHolePunch)
                return (event.side, attempts, connection)
            case .failed(let error): throw error
            case .synchronized(_, let addresses): #expect(!addresses.isEmpty)
            case .attemptFailed: break
            }
        }
        throw HolePunchError(.closed, "no punch came to an end")
    }

    /// Lets the other end dial through our relay, and begins the punch.
    ///
    /// - Returns: How many attempts it took.
    private func begin(with other: Implementation, _ node: Node, _ relay: Multiaddr) async throws -> Int {
        let events = node.puncher.events
        let connections = node.swarm.events
        try await node.swarm.listen(on: [relay.encapsulating(.p2pCircuit)])
        let circuit = relay.encapsulating(.p2pCircuit).withPeerID(node.peer)
        let peer = try InteropPeer(script: other.rawValue, arguments: ["dial", "\(circuit)"])
        defer { peer.stop() }
        for await case .connected(let connection) in connections where connection.isRelayed {
            node.puncher.relayedConnectionOpened(connection)
            break
        }
        let (side, attempts, connection) = try await self.outcome(events)
        #expect(side == .initiator)
        #expect(!connection.isRelayed)
        let connected = try #require(try await peer.reports(until: "connected").last)
        #expect(connected.peer == node.peer.description)
        #expect(connection.remotePeer.description == connected.local)
        try await self.use(connection, other)
        return attempts
    }

    /// go-libp2p takes the side of the server where the specification gives it the client's (go-libp2p#3171): its dials wait for us to propose.
    @Test("we begin: CONNECT, CONNECT, SYNC, and both dial; what follows goes over the direct connection", arguments: Implementation.allCases)
    func weBegin(being other: Implementation) async throws {
        try await self.withNodes(other == .kubo ? .fromOutside : .asTheyAre) { node, relay, _ in
            let attempts = try await self.begin(with: other, node, relay)
            #expect(attempts == 1)
        }
    }

    @Test("we begin with go-libp2p, whose own dial does not get through: ours does, though both ends wait for the other's handshake at first")
    func weBeginWithGo() async throws {
        try await self.withNodes(.nobody) { node, relay, _ in
            let attempts = try await self.begin(with: .kubo, node, relay)
            #expect(attempts == 1)
        }
    }

    @Test("it begins: we answer, dial on SYNC, and what follows goes over the direct connection", arguments: Implementation.allCases)
    func itBegins(being other: Implementation) async throws {
        try await self.withNodes { node, relay, service in
            let peer = try InteropPeer(script: other.rawValue, arguments: ["reach", "\(relay)"])
            defer { peer.stop() }
            let target = try PeerID(try #require(try await peer.reports(until: "listening").last?.peer))
            let events = node.puncher.events
            // kubo asks for a place by itself.
            while service.statistics.reservations == 0 { try await Task.sleep(for: .milliseconds(10)) }
            let relayed = try await node.swarm.connect(to: target, addresses: [relay.encapsulating(.p2pCircuit)])
            #expect(relayed.isRelayed)
            let (side, attempts, connection) = try await self.outcome(events)
            #expect(side == .responder)
            #expect(attempts == 1)
            #expect(!connection.isRelayed && connection.remotePeer == target)
            if other == .pyLibp2p {
                let punched = try await peer.reports(until: "punched").last
                #expect(punched?.count == 1)
            }
            try await self.use(connection, other)
        }
    }
}

/// TCP that stays on this machine: 44.44.44.44, which the peers of kubo say it is, is 127.0.0.1.
private struct LoopbackTransport: Transport {
    enum Acceptance {
        case asTheyAre
        /// From 44.44.44.44, as those who name that address would come.
        case fromOutside
        /// As if a NAT were before the node that kept away all dials.
        case nobody
    }

    let base: TCPTransport
    let acceptance: Acceptance

    private static let outside = "44.44.44.44"

    private static func inside(_ address: Multiaddr) -> Multiaddr? {
        guard case .ip4(let ip)? = address.components.first else { return nil }
        if ip.scope == .loopback { return address }
        guard "\(ip)" == Self.outside, let loopback = try? Multiaddr("/ip4/127.0.0.1") else { return nil }
        return Multiaddr(components: loopback.components + address.components.dropFirst())
    }

    func canDial(_ address: Multiaddr) -> Bool { Self.inside(address).map(self.base.canDial) ?? false }
    func canListen(on address: Multiaddr) -> Bool { self.base.canListen(on: address) }

    func dial(
        _ address: Multiaddr, for purpose: DialPurpose, on eventLoop: any EventLoop, initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        guard let inside = Self.inside(address) else { throw ConnectionError(.addressForbidden, "\(address) is not on this machine") }
        return try await self.base.dial(inside, for: purpose, on: eventLoop, initializer: initializer)
    }

    func listen(on address: Multiaddr, initializer: @escaping @Sendable (any Channel, Multiaddr) -> EventLoopFuture<Void>) async throws -> any Listener {
        switch self.acceptance {
        case .asTheyAre: return try await self.base.listen(on: address, initializer: initializer)
        case .fromOutside:
            let outside = try Multiaddr("/ip4/\(Self.outside)")
            return try await self.base.listen(on: address) { channel, remote in
                initializer(channel, Multiaddr(components: outside.components + remote.components.dropFirst()))
            }
        case .nobody:
            return try await self.base.listen(on: address) { channel, _ in
                // A reset, or the four-tuple would be in use for a while.
                let isReset = (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)) ?? channel.eventLoop.makeSucceededVoidFuture()
                return isReset.flatMapThrowing { throw ConnectionError(.closed, "nobody gets in here") }
            }
        }
    }
}
