import DIGCircuitRelay
import DIGHolePunching
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTCP
import DIGTestSupport
import Logging
import NIOCore
import NIOPosix
import Synchronization

@testable import DIGTraversal

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// An internet made of the documentation networks, on the loopback interface: 203.0.113.7 is 127.113.0.7.
///
/// A host behind a NAT lets nobody in who dials in the ordinary way; a punch gets through.
final class Lab: Sendable {
    private struct State {
        var natted: Set<String> = []
        var delays: [String: Duration] = [:]
        var dialed: [Multiaddr] = []
        var nodes: [LabNode] = []
        var swarms: [Swarm] = []
    }

    let group = MultiThreadedEventLoopGroup.singleton
    private let state = Mutex(State())

    /// Every address that somebody tried to reach.
    var dialed: [Multiaddr] { self.state.withLock { $0.dialed } }

    /// Makes ordinary dials to `host` slow.
    func delay(_ host: String, _ duration: Duration) { self.state.withLock { $0.delays[host] = duration } }

    fileprivate func delay(of address: Multiaddr) -> Duration? { self.state.withLock { $0.delays[address.host ?? ""] } }

    fileprivate func dials(_ address: Multiaddr, _ purpose: DialPurpose) -> Bool {
        self.state.withLock { state in
            state.dialed.append(address)
            return purpose == .punch || !state.natted.contains(address.host ?? "")
        }
    }

    /// A node that listens at `host`, one of the documentation addresses.
    ///
    /// - Parameters:
    ///   - relays: Hold a place for it.
    ///   - signaling: Backends in which it takes part.
    func node(
        _ host: String, behindNAT: Bool = false, relays: [LabNode] = [], alsoListeningOn more: [String] = [], signaling: [MemorySignaling] = [],
        _ configure: (inout TraversalConfiguration) -> Void = { _ in }
    ) async throws -> LabNode {
        let logger = Logger(label: "test")
        var configuration = TraversalConfiguration()
        configuration.addressPolicy.treatsDocumentationAsPublic = true
        configuration.usesPortMapping = false
        configuration.relays = relays.map { $0.address.withPeerID($0.peer) }
        configuration.ladder.stagger = .milliseconds(20)
        configure(&configuration)
        if behindNAT { self.state.withLock { _ = $0.natted.insert(host) } }

        var swarmConfiguration = SwarmConfiguration()
        swarmConfiguration.addressPolicy = configuration.addressPolicy
        swarmConfiguration.redundantConnectionGrace = .milliseconds(500)
        var circuitConfiguration = CircuitRelayTransportConfiguration()
        circuitConfiguration.addressPolicy = configuration.addressPolicy
        let circuits = CircuitRelayTransport(configuration: circuitConfiguration, logger: logger)
        let identity = try KeyPair.generate()
        let swarm = Swarm(
            identity: identity, transports: [LabTransport(lab: self), circuits], group: self.group, configuration: swarmConfiguration, logger: logger)
        let dialBacks = Swarm(
            identity: try KeyPair.generate(), transports: [LabTransport(lab: self)], group: self.group, configuration: swarmConfiguration, logger: logger)
        let store = MemoryAttemptStore()
        let manager = NATTraversalManager(
            swarm: swarm, circuits: circuits, dialBacks: dialBacks, identity: identity, store: store,
            signaling: signaling.map { $0.end(of: identity.peerID) }, configuration: configuration, group: self.group, logger: logger)
        self.state.withLock { $0.swarms += [swarm, dialBacks] }
        try await swarm.listen(on: [Multiaddr("/ip4/\(host)/tcp/0")] + more.map { try Multiaddr($0) })
        let node = LabNode(identity: identity, swarm: swarm, manager: manager, store: store, running: Task { try await manager.run() })
        self.state.withLock { $0.nodes.append(node) }
        for relay in relays {
            try await eventually { await manager.environment.relayAddresses.contains { $0.components.contains(.p2p(relay.peer.multihash)) } }
        }
        return node
    }

    func relay(_ host: String) async throws -> LabNode {
        try await self.node(host) { $0.relayDuty = .always }
    }

    /// Ends every node; all connections, streams, handshakes, dials, climbs and tasks must be gone.
    func end() async throws {
        let (nodes, swarms) = self.state.withLock { ($0.nodes, $0.swarms) }
        for node in nodes { await node.stop() }
        for swarm in swarms { await swarm.shutdown() }
        for swarm in swarms {
            try await eventually {
                let statistics = swarm.statistics
                return statistics.openConnections == 0 && statistics.openStreams == 0 && statistics.inboundHandshakes == 0 && statistics.pendingDials == 0
            }
        }
        for node in nodes { try await eventually { node.manager.isIdle } }
    }
}

/// A node of the lab.
struct LabNode: Sendable {
    var identity: KeyPair
    var swarm: Swarm
    var manager: NATTraversalManager
    var store: MemoryAttemptStore
    var running: Task<Void, any Error>

    var peer: PeerID { self.swarm.localPeer }
    /// Where others dial it.
    var address: Multiaddr { self.swarm.listenAddresses.first ?? Multiaddr(components: []) }

    /// The way to this node through `relay`.
    func circuit(through relay: LabNode) -> Multiaddr {
        Multiaddr(components: relay.address.withPeerID(relay.peer).components + [.p2pCircuit])
    }

    func stop() async {
        self.running.cancel()
        _ = await self.running.result
    }
}

extension NATTraversalManager {
    /// Whether nothing is under way.
    var isIdle: Bool { self.state.withLock { $0.climbs.isEmpty && $0.tasks.isEmpty && $0.asked.isEmpty } }
}

/// TCP on the loopback interface under the lab's addresses.
private struct LabTransport: Transport {
    let lab: Lab
    private let tcp: TCPTransport

    init(lab: Lab) {
        self.lab = lab
        self.tcp = TCPTransport(group: lab.group)
    }

    func canDial(_ address: Multiaddr) -> Bool { self.tcp.canDial(address) }
    func canListen(on address: Multiaddr) -> Bool { self.tcp.canListen(on: address) }

    func dial(
        _ address: Multiaddr, for purpose: DialPurpose, on eventLoop: any EventLoop, initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        guard self.lab.dials(address, purpose) else {
            // A NAT says nothing.
            try await Task.sleep(for: .seconds(60))
            throw ConnectionError(.timedOut, "no answer")
        }
        if purpose == .connect, let delay = self.lab.delay(of: address) { try await Task.sleep(for: delay) }
        return try await self.tcp.dial(address.inside, for: purpose, on: eventLoop, initializer: initializer)
    }

    func listen(on address: Multiaddr, initializer: @escaping @Sendable (any Channel, Multiaddr) -> EventLoopFuture<Void>) async throws -> any Listener {
        LabListener(base: try await self.tcp.listen(on: address.inside) { initializer($0, $1.outside) })
    }
}

private struct LabListener: Listener {
    let base: any Listener
    var address: Multiaddr { self.base.address.outside }
    func close() async { await self.base.close() }
}

extension Multiaddr {
    private static let networks = [("192.0.2.", "127.2.0."), ("198.51.100.", "127.100.0."), ("203.0.113.", "127.113.0.")]

    /// The text of the IPv4 address that it begins with.
    var host: String? {
        if case .ip4(let ip)? = self.components.first { "\(ip)" } else { nil }
    }

    fileprivate var inside: Multiaddr { self.replacingHost { host in Self.networks.first { host.hasPrefix($0.0) }.map { $0.1 + host.dropFirst($0.0.count) } } }
    fileprivate var outside: Multiaddr { self.replacingHost { host in Self.networks.first { host.hasPrefix($0.1) }.map { $0.0 + host.dropFirst($0.1.count) } } }

    private func replacingHost(_ body: (String) -> String?) -> Multiaddr {
        guard let host = self.host, let other = body(host), let replaced = try? Multiaddr("/ip4/\(other)") else { return self }
        return Multiaddr(components: replaced.components + self.components.dropFirst())
    }
}

/// Runs `body` with nodes that are ended, and checked for leaks, afterwards.
func withLab(_ body: (Lab) async throws -> Void) async throws {
    let lab = Lab()
    do {
        try await body(lab)
    } catch {
        try? await lab.end()
        throw error
    }
    try await lab.end()
}

/// Sockets of this process.
func openSocketCount() -> Int {
    guard let directory = opendir("/proc/self/fd") else { return 0 }
    defer { closedir(directory) }
    var count = 0
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) } }
        var target = [CChar](repeating: 0, count: 256)
        guard readlink("/proc/self/fd/" + name, &target, 255) > 0 else { continue }
        if String(decoding: target.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).hasPrefix("socket:") { count += 1 }
    }
    return count
}

/// Keeps what happens on the way to one peer.
final class EventLog: Sendable {
    private final class Sink: Sendable {
        let events = Mutex<[TraversalEvent]>([])
    }

    private let sink = Sink()
    private let task: Task<Void, Never>

    init(_ manager: NATTraversalManager, about peer: PeerID) {
        let stream = manager.events
        self.task = Task { [sink] in
            for await (other, event) in stream where other == peer { sink.events.withLock { $0.append(event) } }
        }
    }

    deinit { self.task.cancel() }

    private var all: [TraversalEvent] { self.sink.events.withLock { $0 } }
    var started: [TraversalMethod] { self.all.compactMap { if case .started(let method) = $0 { method } else { nil } } }
    var ended: [AttemptRecord] { self.all.compactMap { if case .ended(let record) = $0 { record } else { nil } } }
    var connected: [TraversalMethod] { self.all.compactMap { if case .connected(_, let method) = $0 { method } else { nil } } }
}

/// Passes envelopes between the nodes of one process.
final class MemorySignaling: Sendable {
    private struct State {
        var readers: [PeerID: [AsyncStream<SignedEnvelope>.Continuation]] = [:]
        var sent: [PeerID] = []
        var isDeaf = false
    }

    let name: String
    private let state = Mutex(State())

    init(_ name: String) { self.name = name }

    /// For whom something was handed over, in order.
    var sent: [PeerID] { self.state.withLock { $0.sent } }

    /// From now on nothing arrives.
    func goDeaf() { self.state.withLock { $0.isDeaf = true } }

    /// Whether `node` reads what arrives.
    func isRead(by node: LabNode) -> Bool { self.state.withLock { $0.readers[node.peer] != nil } }

    func end(of peer: PeerID) -> any Signaling { End(peer: peer, memory: self) }

    private struct End: Signaling {
        let peer: PeerID
        let memory: MemorySignaling
        var name: String { self.memory.name }

        func send(_ envelope: SignedEnvelope, to peer: PeerID) async throws {
            let readers = self.memory.state.withLock { state in
                state.sent.append(peer)
                return state.isDeaf ? [] : state.readers[peer] ?? []
            }
            for reader in readers { reader.yield(envelope) }
        }

        func envelopes() -> AsyncStream<SignedEnvelope> {
            let (stream, continuation) = AsyncStream.makeStream(of: SignedEnvelope.self, bufferingPolicy: .bufferingNewest(64))
            self.memory.state.withLock { $0.readers[self.peer, default: []].append(continuation) }
            return stream
        }
    }
}
