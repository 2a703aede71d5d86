import DIGAnnouncement
import DIGContent
import DIGIdentity
import Testing

@testable import DIGAvailability

@Suite("Signed records, kept")
struct SignedRecordTests {
    let identity: KeyPair
    let records: [SignedRecord]
    let report: AvailabilityReport
    let announcement: ContentAnnouncement

    init() throws {
        self.identity = try KeyPair.generate()
        self.report = Scene.report(by: self.identity.peerID, Scene.peer(1), Scene.content(1), at: Scene.now)
        self.announcement = Scene.announcement(self.identity.peerID, Scene.content(1), at: Scene.now)
        self.records = [
            SignedRecord(.envelope(try self.announcement.signed(with: self.identity)), receivedMilliseconds: Scene.now),
            SignedRecord(.envelope(try self.report.signed(with: self.identity)), receivedMilliseconds: Scene.now + 1),
            SignedRecord(
                .json(try .announcement(of: Scene.content(1), port: nil, contentID: nil, isAvailable: true, timestampMilliseconds: Scene.now, with: self.identity)), receivedMilliseconds: Scene.now),
            SignedRecord(.json(try .report(self.report, with: self.identity)), receivedMilliseconds: Scene.now),
        ]
    }

    @Test("prove themselves long after, from an archive and nothing else")
    func archive() throws {
        let bytes = try SignedRecordArchive(self.records).encoded()
        let read = try SignedRecordArchive(decoding: bytes)
        #expect(read.records == self.records)
        let statements: [SignedRecord.Statement] = [.announcement(self.announcement), .report(self.report), .announcement(self.announcement), .report(self.report)]
        for (record, statement) in zip(read.records, statements) {
            let verified = try record.verified()
            #expect(verified.author == self.identity.publicKey)
            #expect(verified.statement == statement)
        }
    }

    @Test("a byte that changes is noticed, and what is no archive is refused")
    func tampering() throws {
        let bytes = try SignedRecordArchive(self.records).encoded()
        var noticed = 0
        for position in stride(from: 0, to: bytes.count, by: 3) {
            var changed = bytes
            changed[position] ^= 0x20
            do {
                let archive = try SignedRecordArchive(decoding: changed)
                // The time of reception is our own note and not signed: it may move within what a record allows.
                let isSame = archive.records.count == self.records.count && zip(archive.records, self.records).allSatisfy { $0.form == $1.form }
                if isSame { continue }
                // A field that became unknown drops its record; hexadecimal may change its case and mean the same.
                for record in archive.records { _ = try record.verified() }
            } catch { noticed += 1 }
        }
        #expect(noticed > bytes.count / 3 / 2)
        #expect(throws: AvailabilityError.malformed) { _ = try SignedRecordArchive(decoding: [0xFF, 0xFF]) }
        #expect(try SignedRecordArchive(decoding: []).records.isEmpty)
    }

    @Test("a store keeps the latest of an author, about all or one content, and no more than it may")
    func store() async throws {
        let store = MemoryAvailabilityStore(recordLimit: 32)
        for number in 0..<100 {
            let holder = AvailabilityContents.Holder(peer: Scene.peer(number), content: Scene.content(number % 4))
            var record = self.records[0]
            record.receivedMilliseconds += UInt64(number)
            try await store.save(.init(records: [.init(holder: holder, author: Scene.peer(number), isReport: false, record: record)]))
            try await store.save(.init(records: [.init(holder: holder, author: Scene.peer(number), isReport: false, record: record)]))
        }
        let all = try await store.records(about: nil, limit: 1_000)
        #expect(all.count <= 32 && all.count > 20)
        #expect(all.map(\.receivedMilliseconds) == all.map(\.receivedMilliseconds).sorted(by: >))
        #expect(try await store.records(about: Scene.content(1), limit: 1_000).count < all.count)
        #expect(try await store.records(about: nil, limit: 3).count == 3)
    }
}
