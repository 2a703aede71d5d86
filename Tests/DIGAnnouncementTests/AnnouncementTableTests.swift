import DIGContent
import DIGIdentity
import Testing

@testable import DIGAnnouncement

@Suite("Table of announcements")
struct AnnouncementTableTests {
    static let now: UInt64 = 1_795_255_900_000

    let envelope: SignedEnvelope
    let peers: [PeerID]

    init() throws {
        // The table does not look into envelopes.
        let identity = try KeyPair.generate()
        self.envelope = try SignedEnvelope.seal(domain: "d", payloadType: [1], payload: [], with: identity)
        self.peers = try (0..<8).map { _ in try KeyPair.generate().peerID }.sorted()
    }

    private static func key(_ number: UInt32) -> RendezvousKey {
        RendezvousKey(ContentHash(digest: SHA256Digest(hashing: withUnsafeBytes(of: number) { Array($0) })))
    }

    private func add(_ table: inout AnnouncementTable, _ peer: Int, _ key: UInt32, at time: UInt64 = Self.now, isAvailable: Bool = true, now: UInt64 = Self.now) -> AnnouncementTable.Verdict {
        table.add(
            ContentAnnouncement(peer: self.peers[peer], key: Self.key(key), isAvailable: isAvailable, timestampMilliseconds: time), envelope: self.envelope,
            nowMilliseconds: now)
    }

    private func holders(_ table: AnnouncementTable, _ key: UInt32, now: UInt64 = Self.now) -> [PeerID] {
        table.holders(of: Self.key(key), nowMilliseconds: now).map(\.announcement.peer)
    }

    @Test("the later of two announcements counts, and a withdrawal is not undone by an earlier one")
    func order() {
        var table = AnnouncementTable()
        #expect(self.add(&table, 0, 1) == .taken)
        #expect(self.add(&table, 0, 1) == .known)
        #expect(self.add(&table, 0, 1, at: Self.now - 1) == .known)
        #expect(self.add(&table, 1, 1, at: Self.now + 1) == .taken)
        #expect(self.holders(table, 1) == [self.peers[1], self.peers[0]])
        #expect(self.add(&table, 0, 1, at: Self.now + 2, isAvailable: false) == .taken)
        #expect(self.add(&table, 0, 1, at: Self.now + 1) == .known)
        #expect(self.holders(table, 1) == [self.peers[1]])
        #expect(self.add(&table, 0, 1, at: Self.now + 3) == .taken)
        #expect(self.holders(table, 1) == [self.peers[0], self.peers[1]])
        #expect(table.count == 2)
    }

    @Test("what is over is not told, and forgotten")
    func expiry() {
        var table = AnnouncementTable()
        _ = self.add(&table, 0, 1)
        _ = self.add(&table, 0, 2, at: Self.now + 1)
        let end = Self.now + 3_600_000
        #expect(self.holders(table, 1, now: end - 1) == [self.peers[0]])
        #expect(self.holders(table, 1, now: end).isEmpty)
        table.expire(nowMilliseconds: end)
        #expect(table.count == 1 && table.entries(of: self.peers[0]).count == 1)
        table.remove(self.peers[0])
        #expect(table.count == 0 && table.entries(of: self.peers[0]).isEmpty)
    }

    @Test("a peer and a key have no more than their share, and room comes when something is over")
    func shares() {
        var limits = AnnouncementTable.Limits()
        limits.countPerPeer = 3
        limits.countPerKey = 2
        var table = AnnouncementTable(limits: limits)
        for number: UInt32 in 0..<3 { #expect(self.add(&table, 0, number) == .taken) }
        #expect(self.add(&table, 0, 3) == .refused)
        #expect(self.add(&table, 0, 2, at: Self.now + 1) == .taken)
        #expect(self.add(&table, 1, 0) == .taken)
        #expect(self.add(&table, 2, 0) == .refused)
        let later = Self.now + 3_600_000
        #expect(self.add(&table, 2, 0, at: later, now: later) == .taken)
        #expect(self.holders(table, 0, now: later) == [self.peers[2]])
    }

    @Test("when it is full, those with the most make room")
    func flood() {
        var limits = AnnouncementTable.Limits()
        limits.count = 64
        var table = AnnouncementTable(limits: limits)
        for peer in 1..<8 { #expect(self.add(&table, peer, 1) == .taken) }
        for number: UInt32 in 2..<1_000 { #expect(self.add(&table, 0, number, at: Self.now + UInt64(number)) == .taken) }
        #expect(table.count <= 64)
        #expect(Set(self.holders(table, 1)) == Set(self.peers[1...]))
    }
}
