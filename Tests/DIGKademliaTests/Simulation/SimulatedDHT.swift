import DIGIdentity
import DIGMultiformats
import DIGTestSupport

@testable import DIGKademlia

/// Many nodes in one process, in virtual time: the real tables, stores and lookups, and messages that take their time or get lost.
///
/// A lookup runs to its end before the next begins; nodes come and go at moments of their own, also while a lookup is under way.
struct SimulatedDHT {
    typealias Instant = ContinuousClock.Instant

    struct Settings {
        var nodeCount = 1000
        /// Of all nodes, leave in an hour; as many come.
        var hourlyChurn = 0.2
        var duration: Duration = .seconds(3600)
        /// Between two lookups of oneself.
        var refreshInterval: Duration = .seconds(1800)
        /// Of a dead node nothing is heard for so long.
        var requestTimeout: Duration = .seconds(10)
        var roundTrip: ClosedRange<Int> = 40...160
        /// Before a node is asked for the first time; 0: all are connected.
        var connectRoundTrips = 0
        var keyCount = 40
        var searchCount = 300
        var reprovideInterval: Duration = .seconds(1800)
        var lookup = LookupConfiguration()
        /// Of all nodes, those that name only their kind, and no provider.
        var hostileShare = 0.0
        /// /24 networks that the hostile nodes have; the others have one each.
        var hostileNetworks = 0
    }

    struct Node {
        var peer: KademliaPeer
        var network: NetworkGroup?
        var table: RoutingTable
        var store = ProviderStore()
        var begins: Instant
        var ends: Instant
        var isHostile: Bool
        var nextRefresh: Instant

        func lives(at now: Instant) -> Bool { self.begins <= now && now < self.ends }
    }

    struct Outcome {
        var lookup: Lookup
        var end: Instant
    }

    private struct Event {
        var at: Instant
        var node: Int
        var isAnswer: Bool
    }

    let settings: Settings
    var generator: SeededGenerator
    let start = ContinuousClock.now
    private(set) var nodes: [Node] = []
    private var positions: [KademliaKey: Int] = [:]
    private(set) var messageCount = 0
    /// Whom each node has spoken with.
    private var connections: [Int: Set<Int>] = [:]

    init(settings: Settings, seed: UInt64) throws {
        self.settings = settings
        self.generator = SeededGenerator(seed: seed)
        let hostileCount = Int(Double(settings.nodeCount) * settings.hostileShare)
        for index in 0..<settings.nodeCount { _ = try self.add(isHostile: index < hostileCount, begins: self.start) }
        try self.meet()
    }

    // MARK: Nodes

    mutating func add(isHostile: Bool, begins: Instant, at place: KademliaKey? = nil) throws -> Int {
        let index = self.nodes.count
        let position = isHostile && self.settings.hostileNetworks > 0 ? index % self.settings.hostileNetworks : 1000 + index
        let address = Multiaddr(components: [
            .ip4(IPv4Address(UInt8(16 + position >> 16), UInt8(position >> 8 & 0xff), UInt8(position & 0xff), UInt8(1 + index % 250))), .tcp(4001),
        ])
        let peer = try place.map { try KademliaPeer.at($0, address, using: &self.generator) } ?? .random(at: address, using: &self.generator)
        // Whoever leaves within the hour does so at any moment of it.
        let hours = Double(self.settings.duration.components.seconds) / 3600
        let leaves = !isHostile && Double.random(in: 0..<1, using: &self.generator) < self.settings.hourlyChurn * hours
        let span = Double(self.settings.duration.components.seconds)
        let ends = leaves ? begins + .seconds(Double.random(in: 0..<span, using: &self.generator)) : self.start + self.settings.duration * 10
        let node = Node(
            peer: peer, network: NetworkGroup(address), table: RoutingTable(localKey: peer.key), begins: begins, ends: ends, isHostile: isHostile,
            nextRefresh: begins + self.settings.refreshInterval * Double.random(in: 0..<1, using: &self.generator))
        self.positions[peer.key] = index
        self.nodes.append(node)
        return index
    }

    /// What the nodes know at the beginning, as if they had run for a while: their neighbours, and some of all the others.
    private mutating func meet() throws {
        let sorted = self.nodes.indices.sorted { self.nodes[$0].peer.key < self.nodes[$1].peer.key }
        for (rank, index) in sorted.enumerated() {
            var known = (max(0, rank - 20)..<min(sorted.count, rank + 21)).map { sorted[$0] }
            // The key space halved again and again, as the buckets are.
            for _ in 0..<100 { known.append(sorted[Int.random(in: 0..<sorted.count, using: &self.generator)]) }
            var span = sorted.count / 2
            while span > 20 {
                for _ in 0..<12 {
                    let near = min(max(0, rank + Int.random(in: -span...span, using: &self.generator)), sorted.count - 1)
                    known.append(sorted[near])
                }
                span /= 2
            }
            for other in known where other != index {
                _ = self.nodes[index].table.insert(self.nodes[other].peer, network: self.nodes[other].network, now: self.start)
            }
        }
    }

    /// A hostile node comes and makes itself known to a hundred nodes around its place, and a hundred others.
    mutating func addHostile(at place: KademliaKey) throws {
        let index = try self.add(isHostile: true, begins: self.start, at: place)
        let others = self.nodes.indices.filter { !self.nodes[$0].isHostile }
        let near = others.sorted { self.nodes[$0].peer.key.distance(to: place) < self.nodes[$1].peer.key.distance(to: place) }.prefix(100)
        for other in near + others.shuffled(using: &self.generator).prefix(100) {
            _ = self.nodes[other].table.insert(self.nodes[index].peer, network: self.nodes[index].network, now: self.start)
        }
    }

    func living(at now: Instant) -> [Int] { self.nodes.indices.filter { self.nodes[$0].lives(at: now) } }

    func randomLiving(at now: Instant, using generator: inout SeededGenerator) -> Int {
        while true {
            let index = Int.random(in: 0..<self.nodes.count, using: &generator)
            if self.nodes[index].lives(at: now), !self.nodes[index].isHostile { return index }
        }
    }

    /// A node comes and asks one other, which is all it knows.
    ///
    /// - Returns: The node, and when it has the answer.
    mutating func addFresh(at now: Instant) throws -> (node: Int, joined: Instant) {
        let index = try self.add(isHostile: false, begins: now)
        var generator = self.generator
        var first = index
        while first == index { first = self.randomLiving(at: now, using: &generator) }
        self.generator = generator
        _ = self.nodes[index].table.insert(self.nodes[first].peer, network: self.nodes[first].network, now: now)
        return (index, now + self.trip(from: index, to: first))
    }

    /// There and back, and before that what it takes to get a connection.
    private mutating func trip(from asker: Int, to other: Int) -> Duration {
        let roundTrip = Duration.milliseconds(Int.random(in: self.settings.roundTrip, using: &self.generator))
        guard self.settings.connectRoundTrips > 0, !(self.connections[asker]?.contains(other) ?? false) else { return roundTrip }
        self.connections[asker, default: []].insert(other)
        return roundTrip * (1 + self.settings.connectRoundTrips)
    }

    /// A node comes: it knows one other, and looks itself up.
    mutating func join(at now: Instant) throws {
        let index = try self.add(isHostile: false, begins: now)
        var generator = self.generator
        let first = self.randomLiving(at: now, using: &generator)
        self.generator = generator
        _ = self.nodes[index].table.insert(self.nodes[first].peer, network: self.nodes[first].network, now: now)
        _ = self.lookUp(self.nodes[index].peer.key, from: index, at: now)
        for prefixLength in 0..<3 {
            _ = self.lookUp(self.nodes[index].peer.key.neighbour(sharing: prefixLength, using: &self.generator), from: index, at: now)
        }
    }

    mutating func refresh(_ index: Int, at now: Instant) {
        _ = self.lookUp(self.nodes[index].peer.key, from: index, at: now)
        self.nodes[index].nextRefresh = now + self.settings.refreshInterval
    }

    // MARK: Lookups

    /// - Parameter visit: Called when a node answers, with its index; returns false to end the lookup.
    mutating func lookUp(
        _ target: KademliaKey, from index: Int, at begin: Instant, configuration: LookupConfiguration? = nil, isRegional: Bool = true,
        visit: (inout SimulatedDHT, Int, Instant, Lookup) -> Bool = { _, _, _, _ in true }
    ) -> Outcome {
        let configuration = configuration ?? self.settings.lookup
        var now = begin
        let seeds = self.nodes[index].table.closest(to: target, count: max(configuration.replication, configuration.disjointPaths))
        var lookup = Lookup(
            target: target, localKey: self.nodes[index].peer.key, seeds: seeds, radius: isRegional ? self.radius(of: index) : nil,
            configuration: configuration, now: now
        ) { Set($0.addresses.compactMap(NetworkGroup.init)) }
        var events: [Event] = []
        while true {
            while let peer = lookup.next(now: now) {
                self.messageCount += 1
                guard let other = self.positions[peer.key] else { continue }
                let takes = self.trip(from: index, to: other)
                let arrives = now + takes
                if self.nodes[other].lives(at: now + takes / 2) {
                    events.append(Event(at: arrives, node: other, isAnswer: true))
                } else {
                    events.append(Event(at: now + self.settings.requestTimeout, node: other, isAnswer: false))
                }
            }
            guard !lookup.isFinished else { break }
            let next = events.indices.min { events[$0].at < events[$1].at }
            if let deadline = lookup.deadline, next.map({ deadline < events[$0].at }) ?? true {
                now = max(now, deadline)
                lookup.deadlineReached(now: now)
                continue
            }
            guard let next else { break }
            let event = events.remove(at: next)
            now = max(now, event.at)
            let key = self.nodes[event.node].peer.key
            if event.isAnswer {
                lookup.answered(key, closer: self.answer(of: event.node, to: index, target: target, now: now), now: now)
                _ = self.nodes[index].table.insert(self.nodes[event.node].peer, network: self.nodes[event.node].network, now: now)
                if !visit(&self, event.node, now, lookup) { lookup.stop() }
            } else {
                lookup.failed(key, now: now)
                self.nodes[index].table.failed(key, now: now)
            }
        }
        return Outcome(lookup: lookup, end: now)
    }

    private func radius(of index: Int) -> KademliaDistance? {
        let key = self.nodes[index].peer.key
        return ExpectedRadius.radius(around: key, neighbours: self.nodes[index].table.closest(to: key, count: 20), replication: 20)
    }

    private var hostileByPlace: [Int] { self.nodes.indices.filter { self.nodes[$0].isHostile } }

    private mutating func answer(of index: Int, to asker: Int, target: KademliaKey, now: Instant) -> [KademliaPeer] {
        if self.nodes[index].isHostile {
            // The friends closest to what is looked for, which looks like the best of answers.
            return self.hostileByPlace.map { self.nodes[$0].peer }.sorted { $0.key.distance(to: target) < $1.key.distance(to: target) }.prefix(20).map { $0 }
        }
        _ = self.nodes[index].table.insert(self.nodes[asker].peer, network: self.nodes[asker].network, now: now)
        return self.nodes[index].table.closest(to: target, count: 20, excluding: self.nodes[asker].peer.key)
    }

    // MARK: Providers

    /// - Returns: When the nodes have it, and have said so.
    @discardableResult
    mutating func provide(_ key: [UInt8], from index: Int, at now: Instant, isRegional: Bool = true) -> Instant {
        let outcome = self.lookUp(KademliaKey(hashing: key), from: index, at: now, isRegional: isRegional)
        let provider = StoredProvider(
            provider: self.nodes[index].peer.peer, addresses: [], statement: nil, sequence: 0, expiresAt: outcome.end + .seconds(3600))
        for peer in outcome.lookup.keepers(20) {
            guard let other = self.positions[peer.key], self.nodes[other].lives(at: outcome.end), !self.nodes[other].isHostile else { continue }
            _ = self.nodes[other].store.add(provider, under: key, network: self.nodes[index].network, now: outcome.end)
        }
        return outcome.end + .milliseconds(self.settings.roundTrip.upperBound)
    }

    /// Puts a record where it was sent.
    mutating func store(_ key: [UInt8], of provider: Int, at peer: KademliaPeer, now: Instant) {
        guard let other = self.positions[peer.key] else { return }
        let stored = StoredProvider(
            provider: self.nodes[provider].peer.peer, addresses: [], statement: nil, sequence: 0, expiresAt: now + .seconds(3600))
        _ = self.nodes[other].store.add(stored, under: key, network: self.nodes[provider].network, now: now)
    }

    /// - Returns: The nodes asked one after the other, and how long it took; nil if no provider was found.
    mutating func search(
        _ key: [UInt8], from index: Int, at now: Instant, configuration: LookupConfiguration? = nil, isRegional: Bool = true
    ) -> (hops: Int, takes: Duration)? {
        var found: (Int, Duration)?
        _ = self.lookUp(KademliaKey(hashing: key), from: index, at: now, configuration: configuration, isRegional: isRegional) { world, node, time, lookup in
            guard !world.nodes[node].isHostile else { return true }
            var generator = world.generator
            guard !world.nodes[node].store.providers(of: key, limit: 1, now: time, using: &generator).isEmpty else { return true }
            found = ((lookup.hops(to: world.nodes[node].peer.key) ?? 0) + 1, time - now)
            return false
        }
        return found
    }
}
