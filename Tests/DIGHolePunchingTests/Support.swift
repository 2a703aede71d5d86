import DIGHolePunching
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGNetTesting
import DIGTCP
import DIGSwarm
import DIGTestSupport
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// Memory channels that look as if they led through a relay: `/memory/N/p2p-circuit`.
struct CircuitLikeTransport: Transport {
    let base: MemoryTransport

    private static func inner(_ address: Multiaddr) -> Multiaddr? {
        let bare = address.removingPeerID()
        return bare.components.last == .p2pCircuit ? Multiaddr(components: bare.components.dropLast()) : nil
    }

    func canDial(_ address: Multiaddr) -> Bool { Self.inner(address).map(self.base.canDial) ?? false }
    func canListen(on address: Multiaddr) -> Bool { Self.inner(address).map(self.base.canListen) ?? false }

    func dial(
        _ address: Multiaddr, for purpose: DialPurpose, on eventLoop: any EventLoop,
        initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        try await self.base.dial(Self.inner(address) ?? address, for: purpose, on: eventLoop, initializer: initializer)
    }

    func listen(
        on address: Multiaddr, initializer: @escaping @Sendable (any Channel, Multiaddr) -> EventLoopFuture<Void>
    ) async throws -> any Listener {
        let listener = try await self.base.listen(on: Self.inner(address) ?? address) { channel, remote in
            initializer(channel, remote.encapsulating(.p2pCircuit))
        }
        return CircuitLikeListener(base: listener)
    }
}

struct CircuitLikeListener: Listener {
    let base: any Listener
    var address: Multiaddr { self.base.address.encapsulating(.p2pCircuit) }
    func close() async { await self.base.close() }
}

/// Passes envelopes between the nodes of one process, by the rules of a test.
final class MemorySignaling: Sendable {
    /// What becomes of an envelope: it arrives so many times.
    typealias Rule = @Sendable (_ index: Int) -> Int

    private struct State {
        var readers: [PeerID: [AsyncStream<SignedEnvelope>.Continuation]] = [:]
        var sent: [(PeerID, SignedEnvelope)] = []
    }

    private let rule: Rule
    private let state = Mutex(State())

    init(rule: @escaping Rule = { _ in 1 }) { self.rule = rule }

    var sent: [(PeerID, SignedEnvelope)] { self.state.withLock { $0.sent } }

    func deliver(_ envelope: SignedEnvelope, to peer: PeerID) {
        let readers = self.state.withLock { $0.readers[peer] ?? [] }
        for reader in readers { reader.yield(envelope) }
    }

    func end(of peer: PeerID) -> any Signaling { End(peer: peer, memory: self) }

    private struct End: Signaling {
        let peer: PeerID
        let memory: MemorySignaling
        var name: String { "memory" }

        func send(_ envelope: SignedEnvelope, to peer: PeerID) async throws {
            let index = self.memory.state.withLock { state in
                state.sent.append((peer, envelope))
                return state.sent.count - 1
            }
            for _ in 0..<self.memory.rule(index) { self.memory.deliver(envelope, to: peer) }
        }

        func envelopes() -> AsyncStream<SignedEnvelope> {
            let (stream, continuation) = AsyncStream.makeStream(of: SignedEnvelope.self, bufferingPolicy: .bufferingNewest(64))
            self.memory.state.withLock { $0.readers[self.peer, default: []].append(continuation) }
            return stream
        }
    }
}

/// What a node knows of its own addresses.
private final class Known: Sendable {
    private let state: Mutex<[Multiaddr]>

    init(_ addresses: [Multiaddr]) { self.state = Mutex(addresses) }

    var addresses: [Multiaddr] {
        get { self.state.withLock { $0 } }
        set { self.state.withLock { $0 = newValue } }
    }
}

/// A swarm that listens on loopback TCP and behind a relay, with a hole puncher that knows its loopback addresses.
final class Node: Sendable {
    static let group = MultiThreadedEventLoopGroup.singleton

    let identity: KeyPair
    let swarm: Swarm
    let puncher: HolePuncher
    let events: AsyncStream<PunchEvent>
    /// `/memory/N/p2p-circuit`.
    let circuit: Multiaddr
    private let known: Known
    private let seen = Mutex<[PunchEvent]>([])

    var peer: PeerID { self.swarm.localPeer }

    /// - Parameter isLocal: Whether the other nodes are taken for neighbours. If not, loopback addresses are refused.
    init(
        on network: MemoryNetwork, signaling: MemorySignaling? = nil, isLocal: Bool = true, addresses: [Multiaddr]? = nil,
        punchability: LocalPunchability = .unknown,
        relayAllowance: PunchAllowance? = nil, logger: Logger = Logger(label: "test"), _ configure: (inout HolePunchingConfiguration) -> Void = { _ in }
    ) async throws {
        let identity = try KeyPair.generate()
        let tcp = TCPTransport(group: Self.group)
        var configuration = SwarmConfiguration()
        configuration.redundantConnectionGrace = .milliseconds(200)
        configuration.closeTimeout = .seconds(1)
        let swarm = Swarm(
            identity: identity, transports: [CircuitLikeTransport(base: MemoryTransport(network: network, group: Self.group)), tcp], group: Self.group,
            configuration: configuration, logger: Logger(label: "test"))
        try await swarm.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0")])
        let tcpAddresses = swarm.listenAddresses
        try await swarm.listen(on: [Multiaddr("/memory/0/p2p-circuit")])
        self.circuit = swarm.listenAddresses.first { $0.components.contains(.p2pCircuit) } ?? Multiaddr(components: [])
        var punching = HolePunchingConfiguration()
        configure(&punching)
        let known = Known(addresses ?? tcpAddresses)
        self.known = known
        self.identity = identity
        self.swarm = swarm
        self.puncher = HolePuncher(
            dialer: swarm, router: swarm, identity: identity, signaling: signaling.map { [$0.end(of: identity.peerID)] } ?? [],
            configuration: punching, localAddresses: { _ in known.addresses }, punchability: { punchability },
            isOnSameNetwork: { _ in isLocal }, allowance: { $1 == "relay" ? relayAllowance : nil }, logger: logger)
        self.events = self.puncher.events
    }

    /// Somebody tells where this node can be seen: at the addresses it listens on.
    func learnAddresses() {
        self.known.addresses = self.swarm.listenAddresses.filter { !$0.components.contains(.p2pCircuit) }
        self.puncher.localAddressesChanged()
    }

    /// The only connection to `other`, if it is direct.
    func directConnection(to other: Node) -> (any Connection)? {
        self.swarm.connection(to: other.peer).flatMap { $0.isRelayed ? nil : $0 }
    }

    /// Events until one that ends a punch.
    func eventsToEnd() async -> [PunchEvent] {
        var events: [PunchEvent] = []
        for await event in self.events {
            events.append(event)
            switch event.kind {
            case .succeeded, .failed: return events
            default: continue
            }
        }
        return events
    }
}

/// Runs `body` while the nodes' hole punchers run, then ends the nodes.
func running(_ nodes: Node..., body: @escaping @Sendable () async throws -> Void) async throws {
    let result = await withTaskGroup(of: Void.self) { group in
        for node in nodes {
            group.addTask { try? await node.puncher.run() }
        }
        let result: Result<Void, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        group.cancelAll()
        return result
    }
    for node in nodes { await node.swarm.shutdown() }
    for node in nodes {
        try await eventually {
            node.puncher.activeCount == 0 && node.swarm.statistics.openConnections == 0 && node.swarm.statistics.pendingDials == 0
        }
    }
    try result.get()
}
