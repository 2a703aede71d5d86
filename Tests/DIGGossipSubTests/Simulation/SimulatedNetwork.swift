import DIGIdentity
import DIGTestSupport
import OrderedCollections

@testable import DIGGossipSub

/// Many routers in one process, in virtual time: what they send takes its time or gets lost.
struct SimulatedNetwork {
    typealias Instant = ContinuousClock.Instant

    struct Settings {
        var nodeCount = 100
        /// Connections that each node makes; it has twice as many in the middle.
        var dials = 6
        /// Milliseconds that an RPC takes.
        var latency = 20...150
        /// Of all RPCs, lost.
        var loss = 0.0
        /// Of all nodes: they graft like others and take everything, and pass nothing on, ever.
        var dropperShare = 0.0
        /// Publishers send to everybody they are connected to.
        var floodsOwnMessages = true
        var messageCount = 60
        /// Between two messages, in milliseconds.
        var messageInterval = 250
        var seed: UInt64 = 1
    }

    struct Outcome {
        /// Of the nodes that pass messages on, those that got one, on average over all messages.
        var reach = 0.0
        var worstReach = 1.0
        /// From publishing to the delivery, in milliseconds.
        var medianDelay = 0
        var worstDelay = 0
        /// Copies of a message that a node got beyond the first.
        var duplicatesPerDelivery = 0.0
        var sentRPCs = 0
        var graylistedPairs = 0
        var meshDegrees = 0...0
    }

    private struct Delivery {
        var rpc: GossipRPC
        var from: Int
        var to: Int
    }

    static let topic = "dig-simulation"

    let settings: Settings
    private var generator: SeededGenerator
    private let start = ContinuousClock.now
    private var time = 0
    private var routers: [GossipRouter<SeededGenerator>] = []
    private var names: [PeerID: Int] = [:]
    private var droppers = Set<Int>()
    private var underway: [Int: [Delivery]] = [:]
    private var published: [GossipMessageID: Int] = [:]
    private var delays: [GossipMessageID: [Int]] = [:]
    private var sentRPCs = 0
    private var duplicates = 0

    init(_ settings: Settings) throws {
        self.settings = settings
        self.generator = SeededGenerator(seed: settings.seed)
        var configuration = GossipSubConfiguration()
        configuration.floodsOwnMessages = settings.floodsOwnMessages
        for index in 0..<settings.nodeCount {
            let peer = try PeerID.random(using: &self.generator)
            self.names[peer] = index
            self.routers.append(
                GossipRouter(
                    localPeer: peer, configuration: configuration, generator: SeededGenerator(seed: self.generator.next()), now: self.start))
        }
        self.droppers = Set((0..<settings.nodeCount).shuffled(using: &self.generator).prefix(Int(Double(settings.nodeCount) * settings.dropperShare)))
    }

    private var now: Instant { self.start + .milliseconds(self.time) }

    private mutating func perform(_ actions: [GossipAction], of node: Int) {
        for action in actions {
            switch action {
            case .send(var rpc, let peer):
                if self.droppers.contains(node) {
                    // They answer no question and pass nothing on.
                    (rpc.messages, rpc.ihave) = ([], [])
                    if rpc.isEmpty { continue }
                }
                guard let to = self.names[peer] else { continue }
                self.sentRPCs += 1
                if Double.random(in: 0..<1, using: &self.generator) < self.settings.loss { continue }
                let arrival = self.time + Int.random(in: self.settings.latency, using: &self.generator)
                self.underway[arrival, default: []].append(Delivery(rpc: rpc, from: node, to: to))
            case .deliver(let message):
                if !self.droppers.contains(node), let began = self.published[message.id] {
                    self.delays[message.id, default: []].append(self.time - began)
                }
            case .connect:
                continue
            }
        }
    }

    private mutating func connect(_ left: Int, _ right: Int) {
        for (node, other, isOutbound) in [(left, right, true), (right, left, false)] {
            _ = self.routers[node].connected(self.routers[other].localPeer, GossipPeerInfo(isOutbound: isOutbound))
            // What a stream begins with does not get lost.
            self.underway[self.time + self.settings.latency.lowerBound, default: []]
                .append(Delivery(rpc: self.routers[node].hello, from: node, to: other))
        }
    }

    private mutating func receive(_ delivery: Delivery) {
        let peer = self.routers[delivery.from].localPeer
        for message in delivery.rpc.messages {
            if self.routers[delivery.to].seen.contains(message.id) { self.duplicates += 1 }
            guard self.routers[delivery.to].wants(message, from: peer, now: self.now),
                self.routers[delivery.to].verified(message, isSigned: true, from: peer, now: self.now)
            else { continue }
            self.routers[delivery.to].validated(message, verdict: .accept, from: peer, now: self.now)
        }
        self.routers[delivery.to].received(delivery.rpc, from: peer, now: self.now)
        self.perform(self.routers[delivery.to].takeActions(), of: delivery.to)
    }

    mutating func run() throws -> Outcome {
        let count = self.settings.nodeCount
        for node in 0..<count {
            self.routers[node].subscribe(Self.topic, now: self.now)
            _ = self.routers[node].takeActions()
        }
        for node in 0..<count {
            let others = (0..<count).filter { $0 != node }.shuffled(using: &self.generator).prefix(self.settings.dials)
            for other in others where self.routers[node].peers[self.routers[other].localPeer] == nil { self.connect(node, other) }
        }
        let offsets = (0..<count).map { _ in Int.random(in: 0..<1000, using: &self.generator) }
        let warmUp = 10_000
        let end = warmUp + self.settings.messageCount * self.settings.messageInterval + 8000
        let honest = (0..<count).filter { !self.droppers.contains($0) }
        while self.time < end {
            for delivery in self.underway.removeValue(forKey: self.time) ?? [] { self.receive(delivery) }
            for node in 0..<count where self.time % 1000 == offsets[node] {
                self.routers[node].heartbeat(now: self.now)
                self.perform(self.routers[node].takeActions(), of: node)
            }
            if self.time >= warmUp, (self.time - warmUp) % self.settings.messageInterval == 0, self.published.count < self.settings.messageCount,
                let publisher = honest.randomElement(using: &self.generator)
            {
                let number = UInt64(self.published.count)
                let message = GossipMessage(
                    publisher: self.routers[publisher].localPeer, sequenceNumber: withUnsafeBytes(of: number.bigEndian) { Array($0) }, topic: Self.topic,
                    data: [1, 2, 3], signature: [1])
                self.published[message.id] = self.time
                _ = self.routers[publisher].publish(message, now: self.now)
                self.perform(self.routers[publisher].takeActions(), of: publisher)
            }
            self.time += 1
        }
        return self.outcome(honest)
    }

    private func outcome(_ honest: [Int]) -> Outcome {
        var outcome = Outcome()
        // The publisher has it without getting it.
        let reaches = self.published.keys.map { Double(self.delays[$0, default: []].count) / Double(honest.count - 1) }
        outcome.reach = reaches.reduce(0, +) / Double(max(1, reaches.count))
        outcome.worstReach = reaches.min() ?? 0
        let delays = self.delays.values.joined().sorted()
        outcome.medianDelay = delays.isEmpty ? 0 : delays[delays.count / 2]
        outcome.worstDelay = delays.last ?? 0
        outcome.duplicatesPerDelivery = Double(self.duplicates) / Double(max(1, delays.count))
        outcome.sentRPCs = self.sentRPCs
        let names = honest.map { self.routers[$0].localPeer }
        outcome.graylistedPairs = honest.reduce(0) { sum, node in sum + names.count { self.routers[node].isGraylisted($0) } }
        let degrees = honest.map { self.routers[$0].meshes[Self.topic]?.count ?? 0 }
        outcome.meshDegrees = (degrees.min() ?? 0)...(degrees.max() ?? 0)
        return outcome
    }
}
