import DIGIdentity
import Testing

@testable import DIGPeerExchange

@Suite("Learned peers")
struct LearnedPeersTests {
    let now = ContinuousClock.now
    let sources: [PeerID]
    let peers: [Somebody]

    init() throws {
        self.sources = try (0..<3).map { _ in try Somebody().peer }
        self.peers = try (0..<12).map { _ in try Somebody() }
    }

    @Test("a peer is known as long as somebody vouches for it, and for a while after the last has gone")
    func vouching() throws {
        var learned = LearnedPeers(maximumCount: 10, maximumCountPerSource: 10)
        let record = try self.peers[0].record()
        #expect(learned.add(record, from: self.sources[0]).verdict == .added)
        #expect(learned.add(record, from: self.sources[1]).verdict == .known)
        #expect(learned.drop(record.peer, from: self.sources[0]) == false)
        #expect(learned.drop(record.peer, from: self.sources[0]) == false)
        learned.leave(self.sources[1], until: self.now + .seconds(10))
        #expect(learned.entries[record.peer]?.liveSourceCount == 0)
        #expect(learned.expire(now: self.now + .seconds(9)).isEmpty)
        #expect(learned.expire(now: self.now + .seconds(10)) == [record.peer])
        #expect(learned.count == 0 && learned.count(of: self.sources[1]) == 0)
        // Vouched for again in time.
        _ = learned.add(record, from: self.sources[1])
        learned.leave(self.sources[1], until: self.now + .seconds(10))
        #expect(learned.add(record, from: self.sources[1]).verdict == .known)
        #expect(learned.expire(now: self.now + .seconds(10)).isEmpty)
        #expect(learned.drop(record.peer, from: self.sources[1]) == true)
    }

    @Test("of two records the one with the higher number counts")
    func newer() throws {
        var learned = LearnedPeers(maximumCount: 10, maximumCountPerSource: 10)
        let (old, new) = (try self.peers[0].record(sequence: 1), try self.peers[0].record(sequence: 2, addresses: [address(8, 8, 8, 8)]))
        _ = learned.add(old, from: self.sources[0])
        #expect(learned.add(new, from: self.sources[1]).verdict == .moved)
        #expect(learned.add(old, from: self.sources[0]).verdict == .known)
        #expect(learned.entries[old.peer]?.record == new)
    }

    @Test("a source tells of so many and no more, also of those that others told of")
    func perSource() throws {
        var learned = LearnedPeers(maximumCount: 100, maximumCountPerSource: 3)
        let records = try self.peers.map { try $0.record() }
        for record in records.prefix(3) { #expect(learned.add(record, from: self.sources[0]).verdict == .added) }
        #expect(learned.add(records[3], from: self.sources[0]).verdict == .refused)
        #expect(learned.add(records[3], from: self.sources[1]).verdict == .added)
        #expect(learned.add(records[3], from: self.sources[0]).verdict == .refused)
        #expect(learned.count(of: self.sources[0]) == 3)
        _ = learned.drop(records[0].peer, from: self.sources[0])
        #expect(learned.add(records[3], from: self.sources[0]).verdict == .known)
    }

    @Test("when it is full, whoever told of most loses its oldest, and nobody can push out others")
    func full() throws {
        var learned = LearnedPeers(maximumCount: 6, maximumCountPerSource: 6)
        let records = try self.peers.map { try $0.record() }
        for record in records.prefix(5) { _ = learned.add(record, from: self.sources[0]) }
        _ = learned.add(records[5], from: self.sources[1])
        #expect(learned.add(records[6], from: self.sources[0]).verdict == .refused)
        let added = learned.add(records[7], from: self.sources[1])
        #expect(added.verdict == .added && added.evicted == records[0].peer)
        #expect(learned.count == 6 && learned.count(of: self.sources[0]) == 4 && learned.count(of: self.sources[1]) == 2)
    }
}
