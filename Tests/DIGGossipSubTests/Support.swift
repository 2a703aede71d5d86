import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGNetTesting
import DIGSwarm
import DIGTestSupport
import Logging
import NIOCore
import NIOPosix
import OrderedCollections
import Synchronization
import Testing

@testable import DIGGossipSub

extension PeerID {
    /// A name that nobody has a key for.
    static func random(using generator: inout some RandomNumberGenerator) throws -> Self {
        let digest = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        return try Self(multihash: Multihash(code: .sha2_256, digest: digest))
    }
}

extension GossipMessageID {
    init(_ number: Int) { self.init(bytes: withUnsafeBytes(of: UInt64(number).bigEndian) { Array($0) }) }
}

/// A router in virtual time, its peers, and what it sends.
struct RouterFixture {
    static let topic = "dig-test"

    var router: GossipRouter<SeededGenerator>
    var generator: SeededGenerator
    let start = ContinuousClock.now
    var now: ContinuousClock.Instant
    var sequence: UInt64 = 0
    var actions: [GossipAction] = []

    init(seed: UInt64 = 1, _ configure: (inout GossipSubConfiguration) -> Void = { _ in }) throws {
        var generator = SeededGenerator(seed: seed)
        var configuration = GossipSubConfiguration()
        configure(&configuration)
        self.now = self.start
        self.router = GossipRouter(
            localPeer: try .random(using: &generator), configuration: configuration, generator: SeededGenerator(seed: seed &+ 1), now: self.start)
        self.generator = generator
    }

    mutating func peer(_ topics: [String] = [Self.topic], outbound: Bool = false, old: Bool = false, network: String? = nil) throws -> PeerID {
        let peer = try PeerID.random(using: &self.generator)
        #expect((self.router.connected(peer, GossipPeerInfo(isOld: old, isOutbound: outbound, network: network))) as Bool)
        self.receive(GossipRPC(subscriptions: topics.map { .init(topic: $0, isSubscribed: true) }), from: peer)
        return peer
    }

    mutating func peers(_ count: Int, outbound: Bool = false) throws -> [PeerID] {
        var peers: [PeerID] = []
        for _ in 0..<count { peers.append(try self.peer(outbound: outbound)) }
        return peers
    }

    mutating func message(of publisher: PeerID? = nil, topic: String = Self.topic, byteCount: Int = 8) throws -> GossipMessage {
        self.sequence += 1
        return GossipMessage(
            publisher: try publisher ?? .random(using: &self.generator),
            sequenceNumber: withUnsafeBytes(of: self.sequence.bigEndian) { Array($0) }, topic: topic, data: Array(repeating: 1, count: byteCount),
            signature: withUnsafeBytes(of: self.sequence) { Array($0) })
    }

    /// As the service does it, with a signature that is right or not.
    mutating func receive(_ rpc: GossipRPC, from peer: PeerID, isSigned: Bool = true, verdict: GossipVerdict = .accept) {
        for message in rpc.messages {
            guard self.router.wants(message, from: peer, now: self.now) else { continue }
            guard self.router.verified(message, isSigned: isSigned, from: peer, now: self.now) else { continue }
            self.router.validated(message, verdict: verdict, from: peer, now: self.now)
        }
        self.router.received(rpc, from: peer, now: self.now)
        self.collect()
    }

    mutating func collect() { self.actions += self.router.takeActions() }

    mutating func subscribe(_ topic: String = Self.topic) {
        self.router.subscribe(topic, now: self.now)
        self.collect()
    }

    mutating func publish(_ message: GossipMessage) -> Int {
        defer { self.collect() }
        return self.router.publish(message, now: self.now)
    }

    mutating func beat(_ count: Int = 1) {
        for _ in 0..<count {
            self.now += .seconds(1)
            self.router.heartbeat(now: self.now)
            self.collect()
        }
    }

    /// What was sent since the last call, all RPCs of one peer together.
    mutating func sent() -> [PeerID: GossipRPC] {
        var sent: [PeerID: GossipRPC] = [:]
        for case .send(let rpc, let peer) in self.actions {
            sent[peer, default: GossipRPC()].subscriptions += rpc.subscriptions
            sent[peer, default: GossipRPC()].messages += rpc.messages
            sent[peer, default: GossipRPC()].ihave += rpc.ihave
            sent[peer, default: GossipRPC()].iwant += rpc.iwant
            sent[peer, default: GossipRPC()].graft += rpc.graft
            sent[peer, default: GossipRPC()].prune += rpc.prune
        }
        self.actions = []
        return sent
    }

    var mesh: [PeerID] { Array(self.router.meshes[Self.topic] ?? []) }
    func score(_ peer: PeerID) -> Double { self.router.scores.score(of: peer) }
    var counters: GossipSubStatistics { self.router.statistics }
}

/// A node on the memory network.
final class TestNode: Sendable {
    let identity: KeyPair
    let swarm: Swarm
    let service: GossipSub

    var peer: PeerID { self.identity.peerID }

    init(on network: MemoryNetwork, algorithm: KeyAlgorithm = .ed25519, _ configure: (inout GossipSubConfiguration) -> Void = { _ in }) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let identity = try KeyPair.generate(algorithm, rsaKeySize: 2048)
        let swarm = Swarm(
            identity: identity, transports: [MemoryTransport(network: network, group: group)], group: group, logger: Logger(label: "test"))
        try await swarm.listen(on: [Multiaddr("/memory/0")])
        var configuration = GossipSubConfiguration()
        configuration.heartbeatInterval = .milliseconds(100)
        configure(&configuration)
        self.identity = identity
        self.swarm = swarm
        self.service = GossipSub(dialer: swarm, router: swarm, identity: identity, configuration: configuration, logger: Logger(label: "test"))
    }

    func connect(to other: TestNode) async throws {
        _ = try await self.swarm.connect(to: other.peer, addresses: other.swarm.listenAddresses, options: DialOptions())
    }

    /// Tells the service what the swarm says.
    func follow() async {
        for await event in self.swarm.events {
            switch event {
            case .identified(let info): self.service.identified(info.peer, protocols: info.protocols, signedRecord: info.signedPeerRecord)
            case .disconnected(let peer): self.service.disconnected(peer)
            default: continue
            }
        }
    }
}

/// Runs `body` while the nodes run, then ends them.
func running(_ nodes: [TestNode], body: @escaping @Sendable () async throws -> Void) async throws {
    let result = await withTaskGroup(of: Void.self) { group in
        for node in nodes {
            group.addTask { await node.follow() }
            group.addTask { try? await node.service.run() }
        }
        let result: Result<Void, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        group.cancelAll()
        return result
    }
    for node in nodes { await node.swarm.shutdown() }
    for node in nodes {
        try await eventually { node.swarm.statistics.openConnections == 0 && node.service.statistics.peerCount == 0 }
    }
    try result.get()
}
