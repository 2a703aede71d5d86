import DIGIdentity
import DIGTestSupport
import Testing

@testable import DIGKademlia

@Suite("Lookup")
struct LookupTests {
    let start = ContinuousClock.now
    let target = KademliaKey(0, 0, 0, 0)

    /// A node at distance `distance` of the target.
    func node(_ distance: UInt64, _ generator: inout SeededGenerator) throws -> KademliaPeer {
        try .at(KademliaKey(0, 0, 0, distance), using: &generator)
    }

    func nodes(_ distances: some Sequence<UInt64>) throws -> [KademliaPeer] {
        var generator = SeededGenerator(seed: 1)
        return try distances.map { try self.node($0, &generator) }
    }

    func lookup(_ seeds: [KademliaPeer], _ configure: (inout LookupConfiguration) -> Void = { _ in }) -> Lookup {
        var configuration = LookupConfiguration()
        configure(&configuration)
        return Lookup(target: self.target, localKey: nil, seeds: seeds, configuration: configuration, now: self.start)
    }

    func distances(_ peers: [KademliaPeer]) -> [UInt64] { peers.map(\.key.word3) }

    @Test("asks α nodes at a time, the closest first")
    func parallelism() throws {
        var lookup = self.lookup(try self.nodes(1...30))
        var asked: [UInt64] = []
        while let peer = lookup.next(now: self.start) { asked.append(peer.key.word3) }
        #expect(asked == Array(1...10))
        lookup.failed(KademliaKey(0, 0, 0, 4), now: self.start)
        #expect(lookup.next(now: self.start)?.key.word3 == 11)
        #expect(lookup.next(now: self.start) == nil)
    }

    @Test("ends when the k closest it knows have answered, and asks nobody farther away (kad-dht r2, Peer routing)")
    func ends() throws {
        var lookup = self.lookup(try self.nodes(1...40))
        var asked: [UInt64] = []
        while !lookup.isFinished {
            guard let peer = lookup.next(now: self.start) else { break }
            asked.append(peer.key.word3)
            lookup.answered(peer.key, closer: [], now: self.start)
        }
        #expect(lookup.isFinished)
        #expect(asked == Array(1...20))
        #expect(self.distances(lookup.closest(20)) == Array(1...20))
    }

    @Test("goes to the nodes that answers name, and counts the hops")
    func follows() throws {
        let nodes = try self.nodes([1000, 500, 250, 1])
        var lookup = self.lookup([nodes[0]])
        for index in 0..<4 {
            #expect(lookup.next(now: self.start)?.key == nodes[index].key)
            lookup.answered(nodes[index].key, closer: index < 3 ? [nodes[index + 1]] : nodes, now: self.start)
        }
        #expect(lookup.isFinished)
        #expect(lookup.hops(to: nodes[3].key) == 3)
        #expect(self.distances(lookup.closest(2)) == [1, 250])
    }

    @Test("ends at once without seeds, and when all have failed")
    func nobody() throws {
        #expect(self.lookup([]).isFinished)
        let nodes = try self.nodes(1...3)
        var lookup = self.lookup(nodes)
        while let peer = lookup.next(now: self.start) { lookup.failed(peer.key, now: self.start) }
        #expect(lookup.isFinished && lookup.closest(20).isEmpty)
        #expect(lookup.statistics == .init(questions: 3, failures: 3, refusals: 0))
    }

    @Test("a node that is slow makes room for others; its answer still counts")
    func slow() throws {
        var lookup = self.lookup(try self.nodes(1...12)) { $0.resiliency = 20 }
        while lookup.next(now: self.start) != nil {}
        #expect(lookup.deadline == self.start + .seconds(3))
        let later = self.start + .seconds(3)
        lookup.deadlineReached(now: later)
        #expect(lookup.next(now: later)?.key.word3 == 11)
        #expect(lookup.next(now: later)?.key.word3 == 12)
        lookup.answered(KademliaKey(0, 0, 0, 3), closer: try self.nodes([2_000]), now: later)
        #expect(lookup.next(now: later)?.key.word3 == 2_000)
        for key in [11, 12, 2_000] as [UInt64] { lookup.answered(KademliaKey(0, 0, 0, key), closer: [], now: later) }
        #expect(lookup.isFinished)
        #expect(self.distances(lookup.closest(20)) == [3, 11, 12, 2_000])
    }

    @Test("waits for those that are slow when there is nobody else")
    func onlySlow() throws {
        var lookup = self.lookup(try self.nodes([5]))
        _ = lookup.next(now: self.start)
        lookup.deadlineReached(now: self.start + .seconds(3))
        #expect(!lookup.isFinished)
        #expect(lookup.deadline == self.start + .seconds(60))
        lookup.answered(KademliaKey(0, 0, 0, 5), closer: [], now: self.start + .seconds(4))
        #expect(lookup.isFinished && lookup.closest(1).count == 1)
    }

    @Test("ends after its time with what it has")
    func timeout() throws {
        var lookup = self.lookup(try self.nodes(1...3))
        _ = lookup.next(now: self.start)
        lookup.answered(KademliaKey(0, 0, 0, 1), closer: [], now: self.start)
        let end = self.start + .seconds(60)
        #expect(lookup.next(now: end) == nil)
        #expect(lookup.isFinished && lookup.deadline == nil)
        #expect(self.distances(lookup.closest(20)) == [1])
    }

    @Test("answers of nodes that were not asked, second answers and failures after an answer do nothing")
    func strangers() throws {
        var lookup = self.lookup(try self.nodes([9, 10]))
        let next = lookup.next(now: self.start)
        let first = try #require(next)
        lookup.answered(KademliaKey(0, 0, 0, 10), closer: try self.nodes([1]), now: self.start)
        lookup.failed(KademliaKey(0, 0, 0, 77), now: self.start)
        lookup.answered(first.key, closer: [], now: self.start)
        lookup.answered(first.key, closer: try self.nodes([2]), now: self.start)
        lookup.failed(first.key, now: self.start)
        #expect(lookup.next(now: self.start)?.key.word3 == 10)
        #expect(lookup.next(now: self.start) == nil)
        #expect(self.distances(lookup.closest(5)) == [9])
    }

    @Test("paths share no node: whom one path has asked, no other asks (S/Kademlia §4.4)")
    func disjoint() throws {
        let seeds = try self.nodes([100, 101, 102, 103])
        var lookup = self.lookup(seeds) {
            $0.disjointPaths = 2
            $0.parallelism = 2
            $0.resiliency = 3
        }
        var asked: [UInt64] = []
        var turn: UInt64 = 50
        while !lookup.isFinished {
            guard let peer = lookup.next(now: self.start) else { break }
            #expect(!asked.contains(peer.key.word3))
            asked.append(peer.key.word3)
            turn -= 1
            lookup.answered(peer.key, closer: asked.count < 8 ? try self.nodes([turn, 30]) : [], now: self.start)
        }
        #expect(lookup.isFinished)
        #expect(asked.filter { $0 == 30 }.count == 1)
        #expect(self.distances(lookup.closest(1)) == [30])
    }

    @Test("a hostile path ends in itself, the other one gets there")
    func hostilePath() throws {
        var generator = SeededGenerator(seed: 3)
        let honest = try self.nodes([1 << 40, 1 << 30, 1 << 20, 77])
        let evil = try KademliaPeer.at(KademliaKey(0, 0, 0, 1 << 39), using: &generator)
        var lookup = self.lookup([evil, honest[0]]) {
            $0.disjointPaths = 2
            $0.resiliency = 4
        }
        var lie: UInt64 = 60
        while !lookup.isFinished, let peer = lookup.next(now: self.start) {
            if let index = honest.firstIndex(of: peer) {
                lookup.answered(peer.key, closer: index < 3 ? [honest[index + 1]] : [], now: self.start)
            } else {
                lie -= 1
                lookup.answered(peer.key, closer: lie > 40 ? try self.nodes([lie]) : [], now: self.start)
            }
        }
        #expect(lookup.closest(100).contains(honest[3]))
    }

    @Test("an answer may name k nodes; what a lookup remembers is bounded, the closest stay")
    func bounded() throws {
        var generator = SeededGenerator(seed: 4)
        var lookup = self.lookup(try self.nodes([UInt64.max])) { $0.maximumCandidates = 50 }
        let next = lookup.next(now: self.start)
        let first = try #require(next)
        lookup.answered(first.key, closer: try self.nodes((1...100).map { $0 * 1000 }), now: self.start)
        var asked = 0
        var distance: UInt64 = 900_000
        while !lookup.isFinished, let peer = lookup.next(now: self.start) {
            asked += 1
            #expect(peer.key.word3 <= 1_000_000)
            distance -= 7
            lookup.answered(peer.key, closer: asked < 300 ? try (0..<20).map { try self.node(distance - $0, &generator) } : [], now: self.start)
        }
        #expect(lookup.isFinished)
        #expect(lookup.closest(1000).count <= 50)
    }

    @Test("asks eight of one /24 at most, however many are named")
    func diversity() throws {
        var generator = SeededGenerator(seed: 5)
        let seeds = try (1...30).map { try KademliaPeer.at(KademliaKey(0, 0, 0, $0), address(6, 6, 6, UInt8($0)), using: &generator) }
        let other = try KademliaPeer.at(KademliaKey(0, 0, 0, 99), address(7, 7, 7, 7), using: &generator)
        var lookup = Lookup(target: self.target, localKey: nil, seeds: seeds + [other], configuration: .init(), now: self.start) {
            Set($0.addresses.compactMap(NetworkGroup.init))
        }
        var asked: [UInt64] = []
        while let peer = lookup.next(now: self.start) {
            asked.append(peer.key.word3)
            lookup.answered(peer.key, closer: [], now: self.start)
        }
        #expect(asked == Array(1...8) + [99])
        #expect(lookup.statistics.refusals == 22)
    }

    @Test("addresses that several name are put together until a node is asked")
    func addresses() throws {
        var generator = SeededGenerator(seed: 6)
        let (a, b) = (try self.node(100, &generator), try self.node(101, &generator))
        let named = try self.node(1, &generator)
        func at(_ address: UInt8) -> KademliaPeer { KademliaPeer(named.peer, key: named.key, addresses: [DIGKademliaTests.address(1, 1, 1, address)]) }
        var lookup = self.lookup([a, b]) { $0.parallelism = 2 }
        _ = lookup.next(now: self.start)
        _ = lookup.next(now: self.start)
        lookup.answered(a.key, closer: [at(1)], now: self.start)
        lookup.answered(b.key, closer: [at(2), at(1)], now: self.start)
        #expect(lookup.next(now: self.start)?.addresses.count == 2)
    }

    @Test("any sequence of inputs keeps α, ends, and asks nobody twice", arguments: 0..<30)
    func fuzz(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let all = try (0..<80).map { _ in try KademliaPeer.random(using: &generator) }
        let target = KademliaKey.random(using: &generator)
        var configuration = LookupConfiguration()
        configuration.disjointPaths = Int.random(in: 1...4, using: &generator)
        configuration.parallelism = Int.random(in: 1...12, using: &generator)
        configuration.resiliency = Int.random(in: 1...20, using: &generator)
        var lookup = Lookup(
            target: target, localKey: all[0].key, seeds: Array(all.shuffled(using: &generator).prefix(5)), configuration: configuration, now: self.start)
        var now = self.start
        var waiting: Set<KademliaKey> = []
        var asked: Set<KademliaKey> = []
        for _ in 0..<2000 where !lookup.isFinished {
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<4:
                if let peer = lookup.next(now: now) {
                    #expect(peer.key != all[0].key)
                    #expect(asked.insert(peer.key).inserted)
                    waiting.insert(peer.key)
                }
            case 4..<7:
                let key = waiting.randomElement(using: &generator) ?? .random(using: &generator)
                waiting.remove(key)
                lookup.answered(key, closer: Array(all.shuffled(using: &generator).prefix(Int.random(in: 0...30, using: &generator))), now: now)
            case 7:
                let key = waiting.randomElement(using: &generator) ?? .random(using: &generator)
                waiting.remove(key)
                lookup.failed(key, now: now)
            default:
                now += .milliseconds(Int.random(in: 0...500, using: &generator))
                lookup.deadlineReached(now: now)
            }
        }
        lookup.deadlineReached(now: now + .seconds(61))
        #expect(lookup.isFinished)
        #expect(lookup.next(now: now) == nil)
    }

    @Test("the expected radius follows from the density around this node")
    func radius() throws {
        var generator = SeededGenerator(seed: 8)
        let local = KademliaKey.random(using: &generator)
        let network = try (0..<5000).map { _ in try KademliaPeer.random(using: &generator) }
        let neighbours = Array(network.sorted { $0.key.distance(to: local) < $1.key.distance(to: local) }.prefix(20))
        let radius = try #require(ExpectedRadius.radius(around: local, neighbours: neighbours, replication: 20))
        let target = KademliaKey.random(using: &generator)
        #expect((8...40).contains(network.count { $0.key.distance(to: target) <= radius }))
        #expect(ExpectedRadius.radius(around: local, neighbours: Array(neighbours.prefix(19)), replication: 20) == nil)
        // A handful of nodes: all of the key space, and no overflow.
        let few = try (0..<20).map { _ in try KademliaPeer.random(using: &generator) }.sorted { $0.key.distance(to: local) < $1.key.distance(to: local) }
        #expect(ExpectedRadius.radius(around: local, neighbours: few, replication: 20) != nil)
        #expect(ExpectedRadius.radius(around: local, neighbours: Array(repeating: KademliaPeer(try .random(using: &generator), key: local, addresses: []), count: 20), replication: 20) != nil)
    }

    @Test("everybody within the radius is asked, and keeps records, where made-up names are the closest")
    func region() throws {
        let (lies, honest) = (try self.nodes(1...30), try self.nodes(5000...5009))
        var lookup = Lookup(
            target: self.target, localKey: nil, seeds: lies + honest + (try self.nodes([90_000])), radius: KademliaDistance(value: KademliaKey(0, 0, 0, 10_000)),
            configuration: .init(), now: self.start)
        while let peer = lookup.next(now: self.start) { lookup.answered(peer.key, closer: [], now: self.start) }
        #expect(lookup.isFinished)
        #expect(lookup.statistics.questions == 40)
        #expect(self.distances(lookup.keepers(20)) == Array(1...30) + Array(5000...5009))
        #expect(self.distances(lookup.closest(20)) == Array(1...20))
    }
}
