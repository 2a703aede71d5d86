import DIGAnnouncement
import DIGContent
import DIGIdentity
import Foundation
import GRDB
import Logging
import Synchronization
import Testing

@testable import DIGAvailability
@testable import DIGStorage

@Suite("What is known of holders, in the database", .timeLimit(.minutes(5)))
struct SQLiteAvailabilityStoreTests {
    let directory: TemporaryDirectory
    let raw: RawDatabase
    static let now: UInt64 = 1_795_255_900_000

    init() throws {
        self.directory = try TemporaryDirectory()
        self.raw = RawDatabase(in: self.directory)
    }

    private func open(_ limits: AvailabilityStorageLimits = .init()) throws -> SQLiteAvailabilityStore {
        SQLiteAvailabilityStore(database: try NodeDatabase(directory: self.directory.path), limits: limits)
    }

    private static func digest(_ text: String) -> SHA256Digest { SHA256Digest(hashing: Array(text.utf8)) }
    private static func content(_ number: Int) -> ContentHash { ContentHash(digest: Self.digest("content \(number)")) }
    private static func peer(_ number: Int) throws -> PeerID { try PeerID(bytes: [0x12, 0x20] + Self.digest("peer \(number)").bytes) }

    /// A record with something in every field.
    private static func record(_ number: Int, status: PeerContentStatus = .suspect) throws -> HolderRecord {
        var record = HolderRecord()
        record.status = status
        record.announcedAt = Self.now - 1
        record.claimedUntil = Self.now + 3_600_000
        record.isWithdrawn = number % 2 == 1
        record.reports = try (0..<3).map { StoredReport(reporter: try Self.peer(1_000 + $0), reason: .corruptData, timestampMilliseconds: Self.now - UInt64($0)) }
        record.clearedAt = Self.now - 2
        record.doubtedAt = Self.now - 3
        record.provedAt = Self.now - 4
        record.askedAt = Self.now - 5
        record.changedAt = Self.now - 6
        record.tries = 2
        record.verifyAt = number % 3 == 0 ? .max : Self.now + 7
        record.isUrgent = true
        return record
    }

    private static func reputation(_ experiences: [Experience]) -> Reputation {
        var reputation = Reputation()
        for (index, experience) in experiences.enumerated() {
            reputation.add(experience, nowMilliseconds: Self.now + UInt64(index) * 1_000_003, halfLife: 86_400_000)
        }
        return reputation
    }

    private static func holders(_ contents: AvailabilityContents) -> [AvailabilityContents.Holder: HolderRecord] {
        Dictionary(contents.holders.map { (.init(peer: $0.peer, content: $0.content), $0.record) }) { $1 }
    }

    private func signed(_ author: KeyPair, _ content: ContentHash, at time: UInt64, about reported: PeerID? = nil) throws -> AvailabilityContents.Record {
        let envelope: SignedEnvelope
        if let reported {
            envelope = try AvailabilityReport(reporter: author.peerID, reported: reported, content: content, timestampMilliseconds: time).signed(with: author)
        } else {
            envelope = try ContentAnnouncement(peer: author.peerID, key: RendezvousKey(content), timestampMilliseconds: time).signed(with: author)
        }
        return .init(
            holder: .init(peer: reported ?? author.peerID, content: content), author: author.peerID, isReport: reported != nil,
            record: SignedRecord(.envelope(envelope), receivedMilliseconds: time))
    }

    @Test("every field comes back, after a restart too, and as the store in memory gives it")
    func values() async throws {
        var changes = AvailabilityContents.Changes()
        for number in 0..<20 {
            let status = PeerContentStatus.allCases[number % 3]
            changes.holders.append(HolderSnapshot(peer: try Self.peer(number), content: Self.content(number % 4), record: try Self.record(number, status: status)))
        }
        changes.reputations = [
            try Self.peer(0): Self.reputation([.transferred(byteCount: 1 << 20, over: .seconds(2)), .corrupt, .connected, .reportConfirmed]),
            try Self.peer(1): Self.reputation([.missing]),
        ]
        let memory = MemoryAvailabilityStore()
        for store in [memory, try self.open()] as [any AvailabilityStore] { try await store.save(changes) }
        let expected = try await memory.load()
        for _ in 0..<2 {
            let contents = try await self.open().load()
            #expect(Self.holders(contents) == Self.holders(expected) && contents.holders.count == 20)
            #expect(contents.reputations == expected.reputations && contents.reputations.count == 2)
        }
        let forgotten = changes.holders.prefix(15).map { AvailabilityContents.Holder(peer: $0.peer, content: $0.content) }
        var changed = changes.holders[19]
        changed.record.status = .unavailable
        try await self.open().save(.init(holders: [changed], forgotten: Array(forgotten)))
        let left = Self.holders(try await self.open().load())
        #expect(left.count == 5 && left[.init(peer: changed.peer, content: changed.content)] == changed.record)
    }

    @Test("signed records: the latest of each kind by an author about a pair, the latest first, and the oldest go")
    func records() async throws {
        let store = try self.open({ var limits = AvailabilityStorageLimits(); limits.recordCount = 4; return limits }())
        let keys = try (0..<3).map { _ in try KeyPair.generate() }
        let (here, there) = (Self.content(0), Self.content(1))
        let first = try self.signed(keys[0], here, at: Self.now)
        let report = try self.signed(keys[1], here, at: Self.now + 1, about: keys[0].peerID)
        let elsewhere = try self.signed(keys[2], there, at: Self.now + 2)
        try await store.save(.init(records: [first, report, elsewhere]))
        #expect(try await store.records(about: nil, limit: 10) == [elsewhere, report, first].map(\.record))
        #expect(try await store.records(about: here, limit: 10) == [report, first].map(\.record))
        #expect(try await store.records(about: here, limit: 1) == [report.record])
        #expect(try await store.records(about: nil, limit: -1).isEmpty)
        // The same author again; a report by the one who has announced; the other form.
        let again = try self.signed(keys[0], here, at: Self.now + 3)
        let other = try self.signed(keys[0], here, at: Self.now + 4, about: keys[1].peerID)
        var json = other
        json.author = keys[2].peerID
        json.record = SignedRecord(
            .json(try .report(.init(reporter: keys[2].peerID, reported: keys[1].peerID, content: here, timestampMilliseconds: Self.now), with: keys[2])), receivedMilliseconds: Self.now + 5)
        try await store.save(.init(records: [again, other, json]))
        let kept = try await self.open().records(about: nil, limit: 10)
        #expect(kept == [json, other, again, elsewhere].map(\.record))
        for record in kept { _ = try record.verified() }
        // As many as there is room for, the latest.
        var limits = AvailabilityStorageLimits()
        limits.recordByteCount = kept.prefix(2).reduce(0) { sum, record in
            switch record.form {
            case .envelope(let envelope): sum + envelope.encoded.count
            case .json(let data): sum + data.json.count
            }
        }
        let small = try self.open(limits)
        try await small.save(.init(records: [json]))
        #expect(try await small.records(about: nil, limit: 10) == [json, other].map(\.record))
    }

    @Test("peers not met for longest are forgotten")
    func reputations() async throws {
        var limits = AvailabilityStorageLimits()
        limits.peerCount = 3
        let store = try self.open(limits)
        for number in 0..<6 {
            var reputation = Reputation()
            reputation.add(.connected, nowMilliseconds: Self.now + UInt64((number * 5) % 6), halfLife: 1)
            try await store.save(.init(reputations: [try Self.peer(number): reputation]))
        }
        let left = try await store.load().reputations
        #expect(Set(left.keys) == Set(try [1, 2, 3].map(Self.peer)))
    }

    @Test("rows that this software never writes are left out, and do no harm")
    func malformed() async throws {
        let good = HolderSnapshot(peer: try Self.peer(1), content: Self.content(1), record: try Self.record(1))
        try await self.open().save(.init(holders: [good], reputations: [good.peer: Self.reputation([.connected])]))
        func hex(_ bytes: [UInt8]) -> String { "X'" + bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() + "'" }
        let (hash, peer) = (hex(Self.content(2).digest.bytes), hex(try Self.peer(2).bytes))
        let bytes = good.record.kept
        var records = ["X''", "X'FF'", hex(Array(bytes.dropLast())), hex([0x08, 0x07] + bytes.dropFirst(2))]
        // A reporter that is none; tries beyond counting.
        records += [hex([0x2A, 0x03, 0x0A, 0x01, 0x00] + bytes), hex(bytes + [0x58, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F])]
        for (index, record) in records.enumerated() {
            try await self.raw.execute("INSERT INTO availability_holder VALUES (\(hash), \(hex(try Self.peer(10 + index).bytes)), \(record))")
        }
        try await self.raw.execute("INSERT INTO availability_holder VALUES (X'00', \(peer), \(hex(bytes)))")
        try await self.raw.execute("INSERT INTO availability_holder VALUES (\(hash), X'0102', \(hex(bytes)))")
        for (index, experiences) in ["X'FF'", "X'0A0909000000000000F87F'", "X'0A0909000000000000F0BF'", "X'29000000000000F07F'"].enumerated() {
            try await self.raw.execute("INSERT INTO availability_reputation VALUES (\(hex(try Self.peer(10 + index).bytes)), \(experiences), 1)")
        }
        try await self.raw.execute("INSERT INTO availability_reputation VALUES (X'', X'', 1)")
        for (index, row) in ["0, X'00', 1", "1, X'7B7D', 1", "2, X'00', 1", "0, X'00', -1"].enumerated() {
            try await self.raw.execute("INSERT INTO availability_record (identity, content_hash, form, record, received_ms) VALUES (X'0\(index)', \(hash), \(row))")
        }
        let contents = try await self.open().load()
        #expect(Self.holders(contents) == [.init(peer: good.peer, content: good.content): good.record])
        #expect(Array(contents.reputations.keys) == [good.peer])
        #expect(try await self.open().records(about: nil, limit: 10).isEmpty)
    }

    @Test("a save that fails changes nothing")
    func atomic() async throws {
        let store = try self.open()
        let before = HolderSnapshot(peer: try Self.peer(1), content: Self.content(1), record: try Self.record(1))
        try await store.save(.init(holders: [before]))
        try await self.raw.execute("CREATE TRIGGER stop BEFORE INSERT ON availability_record BEGIN SELECT RAISE(ABORT, 'no'); END")
        var after = before
        after.record.status = .unavailable
        let changes = AvailabilityContents.Changes(holders: [after], records: [try self.signed(try KeyPair.generate(), Self.content(1), at: Self.now)])
        await #expect(throws: StorageError.self) { try await store.save(changes) }
        #expect(Self.holders(try await store.load()) == [.init(peer: before.peer, content: before.content): before.record])
    }

    @Test("a manager that starts again knows who is unavailable, how peers have behaved, and what was signed")
    func restart() async throws {
        struct Nobody: PossessionProver {
            func proves(_ peer: PeerID, has content: ContentHash) async throws -> Bool { throw CancellationError() }
        }
        let identity = try KeyPair.generate()
        func manager() throws -> ContentAvailabilityManager {
            ContentAvailabilityManager(identity: identity, prover: Nobody(), store: try self.open(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        }
        func running(_ manager: ContentAvailabilityManager, _ body: () async throws -> Void) async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await manager.run() }
                try await body()
                group.cancelAll()
                try await group.waitForAll()
            }
        }
        let now = UInt64(Date().timeIntervalSince1970 * 1_000)
        let (liar, good) = (try KeyPair.generate(), try KeyPair.generate())
        let content = Self.content(0)
        let first = try manager()
        try await running(first) {
            for holder in [liar, good] {
                try first.received(announcement: ContentAnnouncement(peer: holder.peerID, key: RendezvousKey(content), timestampMilliseconds: now).signed(with: holder))
            }
            try await first.reportContentUnavailable(liar.peerID, content)
            first.experienced(.transferred(byteCount: 1 << 20, over: .seconds(1)), of: good.peerID, content: content)
            // Before anything is saved at leisure.
            #expect(try await first.records(about: content).count == 3)
        }
        let second = try manager()
        try await running(second) {
            while second.holders(of: content).count < 2 { try await Task.sleep(for: .milliseconds(5)) }
            #expect(second.status(of: liar.peerID, for: content) == .unavailable)
            #expect(second.filterPeersByContentStatus([liar.peerID, good.peerID], for: content) == [good.peerID])
            #expect(second.reputation(of: good.peerID).success > 0.6 && second.reputation(of: liar.peerID).success < 0.4)
            #expect((second.reputation(of: good.peerID).rate ?? 0) == Double(1 << 20))
            let records = try await second.records(about: content)
            #expect(records.count == 3)
            for record in records { _ = try record.verified() }
            // What is known already is not believed a second time.
            #expect(throws: AvailabilityError.replayed) {
                try second.received(announcement: ContentAnnouncement(peer: liar.peerID, key: RendezvousKey(content), timestampMilliseconds: now).signed(with: liar))
            }
        }
    }
}
