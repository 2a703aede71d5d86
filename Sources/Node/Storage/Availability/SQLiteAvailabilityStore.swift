public import DIGAvailability
public import DIGContent
import DIGIdentity
import Foundation
import GRDB
import Logging

/// What is known of holders, in the node's database.
///
/// A row that this software never writes is left out when it is read; what it was about is new then. What several processes on one data directory save is
/// merged by pairs and peers: the later one counts.
public struct SQLiteAvailabilityStore: AvailabilityStore {
    private let database: NodeDatabase
    private let limits: AvailabilityStorageLimits

    public init(database: NodeDatabase, limits: AvailabilityStorageLimits = .init()) {
        self.database = database
        self.limits = limits
    }

    /// - Throws: ``StorageError``; `.damaged` if the file's pages contradict one another.
    public func load() async throws -> AvailabilityContents {
        let limits = self.limits
        let (contents, dropped) = try await self.database.read { database in
            var contents = AvailabilityContents()
            var dropped = 0
            // More rows than there may be come from somewhere else.
            let holders = try Row.fetchCursor(
                database, sql: "SELECT content_hash, peer, record FROM availability_holder LIMIT ?", arguments: [max(0, limits.holderCount)])
            while let row = try holders.next() {
                guard let peer = Self.peer(row), let content = Self.content(row), let record = Self.bytes(row, "record").flatMap(HolderRecord.init(kept:)) else {
                    dropped += 1
                    continue
                }
                contents.holders.append(HolderSnapshot(peer: peer, content: content, record: record))
            }
            let reputations = try Row.fetchCursor(
                database, sql: "SELECT peer, experiences FROM availability_reputation ORDER BY seen_ms DESC LIMIT ?", arguments: [max(0, limits.peerCount)])
            while let row = try reputations.next() {
                guard let peer = Self.peer(row), let reputation = Self.bytes(row, "experiences").flatMap(Reputation.init(kept:)) else {
                    dropped += 1
                    continue
                }
                contents.reputations[peer] = reputation
            }
            return (contents, dropped)
        }
        if dropped > 0 {
            self.database.logger.info("what is known of holders is malformed in the database", metadata: ["dig.storage.dropped": "\(dropped)"])
        }
        return contents
    }

    /// In one transaction.
    ///
    /// - Throws: ``StorageError``; what was kept before is kept then.
    public func save(_ changes: AvailabilityContents.Changes) async throws {
        guard !changes.isEmpty else { return }
        let limits = self.limits
        try await self.database.write { database in
            let keep = try database.cachedStatement(
                sql: """
                    INSERT INTO availability_holder (content_hash, peer, record) VALUES (?, ?, ?)
                    ON CONFLICT (content_hash, peer) DO UPDATE SET record = excluded.record
                    """)
            for holder in changes.holders { try keep.execute(arguments: [holder.content.data, Data(holder.peer.bytes), Data(holder.record.kept)]) }
            let forget = try database.cachedStatement(sql: "DELETE FROM availability_holder WHERE content_hash = ? AND peer = ?")
            for holder in changes.forgotten { try forget.execute(arguments: [holder.content.data, Data(holder.peer.bytes)]) }
            let behaved = try database.cachedStatement(
                sql: """
                    INSERT INTO availability_reputation (peer, experiences, seen_ms) VALUES (?, ?, ?)
                    ON CONFLICT (peer) DO UPDATE SET experiences = excluded.experiences, seen_ms = excluded.seen_ms
                    """)
            for (peer, reputation) in changes.reputations {
                try behaved.execute(arguments: [Data(peer.bytes), Data(reputation.kept), Int64(clamping: reputation.seenAt)])
            }
            if !changes.reputations.isEmpty {
                try database.execute(
                    sql: """
                        DELETE FROM availability_reputation WHERE peer IN
                            (SELECT peer FROM availability_reputation ORDER BY seen_ms DESC LIMIT -1 OFFSET ?)
                        """, arguments: [max(0, limits.peerCount)])
            }
            try Self.save(changes.records, limits: limits, in: database)
        }
    }

    private static func save(_ records: [AvailabilityContents.Record], limits: AvailabilityStorageLimits, in database: Database) throws {
        guard !records.isEmpty else { return }
        // The new one is the latest: it gets a number of its own.
        let remove = try database.cachedStatement(sql: "DELETE FROM availability_record WHERE identity = ?")
        let add = try database.cachedStatement(
            sql: "INSERT INTO availability_record (identity, content_hash, form, record, received_ms) VALUES (?, ?, ?, ?, ?)")
        for entry in records {
            let identity = Self.identity(of: entry)
            try remove.execute(arguments: [identity])
            let (form, bytes) = Self.stored(entry.record.form)
            try add.execute(arguments: [identity, entry.holder.content.data, form, Data(bytes), Int64(clamping: entry.record.receivedMilliseconds)])
        }
        try database.execute(
            sql: "DELETE FROM availability_record WHERE id IN (SELECT id FROM availability_record ORDER BY id DESC LIMIT -1 OFFSET ?)",
            arguments: [max(0, limits.recordCount)])
        try database.execute(
            sql: """
                DELETE FROM availability_record WHERE id IN
                    (SELECT id FROM (SELECT id, sum(length(record)) OVER (ORDER BY id DESC) AS total FROM availability_record) WHERE total > ?)
                """, arguments: [max(0, limits.recordByteCount)])
    }

    /// - Throws: ``StorageError``.
    public func records(about content: ContentHash?, limit: Int) async throws -> [SignedRecord] {
        try await self.database.read { database in
            let rows = try Row.fetchCursor(
                database, sql: "SELECT form, record, received_ms FROM availability_record WHERE ?1 IS NULL OR content_hash = ?1 ORDER BY id DESC LIMIT ?2",
                arguments: [content?.data, max(0, limit)])
            var records: [SignedRecord] = []
            while let row = try rows.next() {
                if let record = Self.record(row) { records.append(record) }
            }
            return records
        }
    }

    // MARK: Columns

    /// 16 bytes are enough to tell records apart, and nobody gains from two that are the same: the later one would be kept.
    private static func identity(of entry: AvailabilityContents.Record) -> Data {
        var bytes: [UInt8] = [entry.isReport ? 1 : 0]
        for part in [entry.holder.content.digest.bytes, entry.holder.peer.bytes, entry.author.bytes] {
            bytes.append(UInt8(truncatingIfNeeded: part.count))
            bytes += part
        }
        return Data(SHA256Digest(hashing: bytes).bytes.prefix(16))
    }

    private static func stored(_ form: SignedRecord.Form) -> (form: Int, bytes: [UInt8]) {
        switch form {
        case .envelope(let envelope): (0, envelope.encoded)
        case .json(let data): (1, data.json)
        }
    }

    /// Nil for what is none.
    private static func record(_ row: Row) -> SignedRecord? {
        guard let bytes = Self.bytes(row, "record") else { return nil }
        do {
            let received = try row.count("received_ms")
            switch try row.integer("form") {
            case 0: return SignedRecord(.envelope(try SignedEnvelope(decoding: bytes)), receivedMilliseconds: received)
            case 1: return SignedRecord(.json(try SignedData(json: bytes)), receivedMilliseconds: received)
            default: return nil
            }
        } catch { return nil }
    }

    private static func peer(_ row: Row) -> PeerID? {
        do { return try PeerID(bytes: row.bytes("peer")) } catch { return nil }
    }

    private static func content(_ row: Row) -> ContentHash? {
        do { return try row.contentHash() } catch { return nil }
    }

    private static func bytes(_ row: Row, _ column: String) -> [UInt8]? {
        do { return try row.bytes(column) } catch { return nil }
    }
}
