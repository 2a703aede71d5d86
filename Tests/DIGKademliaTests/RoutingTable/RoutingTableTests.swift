import DIGIdentity
import DIGMultiformats
import DIGTestSupport
import Testing

@testable import DIGKademlia

@Suite("Routing table")
struct RoutingTableTests {
    let start = ContinuousClock.now

    @Test("names the closest nodes to any target, as sorting all of them would")
    func closest() throws {
        var generator = SeededGenerator(seed: 11)
        let local = KademliaKey.random(using: &generator)
        var table = RoutingTable(localKey: local)
        var all: [KademliaPeer] = []
        for _ in 0..<600 {
            let peer = try KademliaPeer.random(using: &generator)
            if case .added = table.insert(peer, network: nil, now: self.start) { all.append(peer) }
        }
        // And some close ones.
        for prefix in 8..<40 {
            let peer = try KademliaPeer.at(local.neighbour(sharing: prefix, using: &generator), using: &generator)
            if case .added = table.insert(peer, network: nil, now: self.start) { all.append(peer) }
        }
        #expect(table.count == all.count)
        var targets = (0..<60).map { _ in KademliaKey.random(using: &generator) }
        targets += (0..<60).map { local.neighbour(sharing: $0, using: &generator) } + [local, all[0].key]
        for target in targets {
            for count in [1, 5, 20, 1000] {
                let expected = all.sorted { $0.key.distance(to: target) < $1.key.distance(to: target) }.prefix(count).map(\.key)
                let found = table.closest(to: target, count: count).map(\.key)
                #expect(found == expected)
            }
        }
        let first = table.closest(to: all[0].key, count: 2, excluding: all[0].key)
        #expect(!first.contains { $0.key == all[0].key } && first.count == 2)
    }

    @Test("is never in its own table")
    func local() throws {
        var generator = SeededGenerator(seed: 12)
        let local = KademliaKey.random(using: &generator)
        var table = RoutingTable(localKey: local)
        #expect(table.insert(try .at(local, using: &generator), network: nil, now: self.start) == .refused(.isLocal))
        #expect(table.closest(to: local, count: 1).isEmpty)
    }

    @Test("a full bucket keeps those that answer; the newest of the others wait for one to fail")
    func replacement() throws {
        var generator = SeededGenerator(seed: 13)
        let local = KademliaKey.random(using: &generator)
        var table = RoutingTable(localKey: local)
        func peer() throws -> KademliaPeer { try .at(local.neighbour(sharing: 0, using: &generator), using: &generator) }
        let first = try (0..<20).map { _ in try peer() }
        for (index, peer) in first.enumerated() { #expect(table.insert(peer, network: nil, now: self.start + .seconds(index)) == .added) }
        let waiting = try (0..<15).map { _ in try peer() }
        for peer in waiting { #expect(table.insert(peer, network: nil, now: self.start + .seconds(30)) == .waits(probe: nil)) }
        #expect(table.count == 20 && table.waitingCount == 10)

        // Nothing heard of the oldest for ten minutes: it is asked, once.
        let later = self.start + .seconds(601)
        let another = try peer()
        #expect(table.insert(another, network: nil, now: later) == .waits(probe: first[0]))
        #expect(table.insert(try peer(), network: nil, now: later) == .waits(probe: first[1]) || table.waitingCount == 10)
        table.failed(first[0].key, now: later)
        #expect(table.entry(first[0].key) == nil)
        #expect(table.count == 20 && table.waitingCount == 9)
        table.succeeded(first[1].key, now: later)
        #expect(table.entry(first[1].key)?.lastSeen == later)
    }

    @Test("without anybody who waits, a node goes after three failures, and others are named before it")
    func failures() throws {
        var generator = SeededGenerator(seed: 14)
        var table = RoutingTable(localKey: .random(using: &generator))
        let (good, bad) = (try KademliaPeer.random(using: &generator), try KademliaPeer.random(using: &generator))
        for peer in [good, bad] { _ = table.insert(peer, network: nil, now: self.start) }
        table.failed(bad.key, now: self.start)
        #expect(table.closest(to: bad.key, count: 5).map(\.key) == [good.key])
        table.succeeded(bad.key, now: self.start)
        #expect(table.closest(to: bad.key, count: 5).count == 2)
        for _ in 0..<3 { table.failed(bad.key, now: self.start) }
        #expect(table.count == 1)
        // If all fail, this node may be the one without a network: they are still named.
        table.failed(good.key, now: self.start)
        #expect(table.closest(to: good.key, count: 5).map(\.key) == [good.key])
        table.remove(good.key)
        #expect(table.count == 0)
    }

    @Test("a failed node's place is free for the next that comes")
    func replacesFailed() throws {
        var generator = SeededGenerator(seed: 15)
        let local = KademliaKey.random(using: &generator)
        var table = RoutingTable(localKey: local)
        let peers = try (0..<21).map { _ in try KademliaPeer.at(local.neighbour(sharing: 3, using: &generator), using: &generator) }
        for peer in peers.prefix(20) { _ = table.insert(peer, network: nil, now: self.start) }
        table.failed(peers[4].key, now: self.start)
        #expect(table.insert(peers[20], network: nil, now: self.start) == .replaced(peers[4].key))
    }

    @Test("two of one /24 in a bucket and eight in the table, whatever names they have")
    func diversity() throws {
        var generator = SeededGenerator(seed: 16)
        let local = KademliaKey.random(using: &generator)
        var table = RoutingTable(localKey: local)
        let network = NetworkGroup(address(5, 5, 5, 5))
        func insert(_ prefix: Int, _ network: NetworkGroup?) throws -> RoutingTable.Insertion {
            table.insert(try .at(local.neighbour(sharing: prefix, using: &generator), using: &generator), network: network, now: self.start)
        }
        var added = 0
        for prefix in 0..<10 {
            for _ in 0..<5 { if try insert(prefix, network) == .added { added += 1 } }
        }
        #expect(added == 8)
        #expect(try insert(0, network) == .refused(.diversity))
        #expect(try insert(0, NetworkGroup(address(5, 5, 6, 5))) == .added)
        #expect(try insert(0, nil) == .added)
        // Room that one leaves is free again.
        let gone = try #require(table.entries[0].first { $0.network == network })
        table.remove(gone.peer.key)
        #expect(try insert(0, network) == .added)
    }

    @Test("a node that moves into a crowded network keeps its old entry")
    func moves() throws {
        var generator = SeededGenerator(seed: 17)
        let local = KademliaKey.random(using: &generator)
        var table = RoutingTable(localKey: local)
        let peers = try (0..<3).map { _ in try KademliaPeer.at(local.neighbour(sharing: 0, using: &generator), using: &generator) }
        let (a, b) = (NetworkGroup(address(1, 1, 1, 1)), NetworkGroup(address(2, 2, 2, 2)))
        for (peer, network) in zip(peers, [a, a, b]) { _ = table.insert(peer, network: network, now: self.start) }
        #expect(table.insert(peers[2], network: a, now: self.start) == .refused(.diversity))
        #expect(table.insert(peers[1], network: b, now: self.start) == .updated)
        #expect(table.insert(peers[2], network: a, now: self.start) == .updated)
    }

    @Test("nodes not heard of and buckets not looked into are due once an interval")
    func upkeep() throws {
        var generator = SeededGenerator(seed: 18)
        let local = KademliaKey.random(using: &generator)
        var table = RoutingTable(localKey: local)
        for prefix in [0, 3, 20] {
            _ = table.insert(try .at(local.neighbour(sharing: prefix, using: &generator), using: &generator), network: nil, now: self.start)
        }
        #expect(table.probesDue(now: self.start + .seconds(599), limit: 10).isEmpty)
        let due = self.start + .seconds(600)
        #expect(table.probesDue(now: due, limit: 2).count == 2)
        #expect(table.probesDue(now: due, limit: 2).count == 1)
        #expect(table.probesDue(now: due, limit: 2).isEmpty)

        table.refreshed(1, now: self.start + .seconds(300))
        #expect(table.refreshesDue(now: due) == [0] + Array(2...15))
        #expect(table.refreshesDue(now: due).isEmpty)
        #expect(table.refreshesDue(now: self.start + .seconds(900)) == [1])
    }

    @Test("holds no more than its buckets, whoever comes")
    func bounded() throws {
        var generator = SeededGenerator(seed: 19)
        var table = RoutingTable(localKey: .random(using: &generator))
        for _ in 0..<20_000 { _ = table.insert(try .random(using: &generator), network: nil, now: self.start) }
        #expect(table.count < 20 * 17)
        #expect(table.waitingCount <= 10 * 17)
    }
}
