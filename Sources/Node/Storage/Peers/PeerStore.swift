public import DIGIdentity
import Foundation
import GRDB

/// What peers have done, and counters of this node.
public struct PeerStore: Sendable {
    /// Peers that were not seen longest are forgotten beyond this.
    public static let maximumPeerCount = 10_000

    private let database: NodeDatabase

    public init(database: NodeDatabase) {
        self.database = database
    }

    /// Adds what happened to what is known of the peer.
    public func add(_ record: PeerHistory) async throws(StorageError) {
        let arguments: StatementArguments = [
            Data(record.peer.bytes), Int64(clamping: record.receivedByteCount), Int64(clamping: record.sentByteCount),
            Int64(clamping: record.failureCount), UnixTime.milliseconds(record.lastSeen),
        ]
        try await self.database.write { database in
            // SQLite turns a sum that overflows 64 bits into a real number, which a STRICT table refuses: hence min().
            try database.execute(
                sql: """
                    INSERT INTO peer (id, received, sent, failures, seen_ms) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT (id) DO UPDATE SET
                        received = received + min(excluded.received, \(Int64.max) - received),
                        sent = sent + min(excluded.sent, \(Int64.max) - sent),
                        failures = failures + min(excluded.failures, \(Int64.max) - failures),
                        seen_ms = max(seen_ms, excluded.seen_ms)
                    """, arguments: arguments)
            try database.execute(
                sql: "DELETE FROM peer WHERE id IN (SELECT id FROM peer ORDER BY seen_ms DESC LIMIT -1 OFFSET \(Self.maximumPeerCount))")
        }
    }

    /// What is known of the peer; nil if nothing.
    ///
    /// - Throws: ``StorageError``.
    public func peer(_ peer: PeerID) async throws(StorageError) -> PeerHistory? {
        let id = Data(peer.bytes)
        return try await self.database.read { database in
            try Row.fetchOne(database, sql: "SELECT * FROM peer WHERE id = ?", arguments: [id]).map(Self.record)
        }
    }

    /// The peers seen last.
    public func peers(limit: Int) async throws(StorageError) -> [PeerHistory] {
        try await self.database.read { database in
            try Row.fetchAll(database, sql: "SELECT * FROM peer ORDER BY seen_ms DESC LIMIT ?", arguments: [max(0, limit)]).map(Self.record)
        }
    }

    /// Adds to a counter, which starts at zero and stops at 2⁶³ − 1.
    public func increment(_ counter: String, by amount: UInt64 = 1) async throws(StorageError) {
        try await self.database.write { database in
            try database.execute(
                sql: """
                    INSERT INTO counter (name, value) VALUES (?, ?)
                    ON CONFLICT (name) DO UPDATE SET value = value + min(excluded.value, \(Int64.max) - value)
                    """, arguments: [counter, Int64(clamping: amount)])
        }
    }

    /// All counters by name.
    ///
    /// - Throws: ``StorageError``.
    public func counters() async throws(StorageError) -> [String: UInt64] {
        try await self.database.read { database in
            var counters: [String: UInt64] = [:]
            for row in try Row.fetchAll(database, sql: "SELECT * FROM counter") { counters[try row.text("name")] = try row.count("value") }
            return counters
        }
    }

    private static func record(_ row: Row) throws -> PeerHistory {
        PeerHistory(
            peer: try PeerID(bytes: row.bytes("id")), receivedByteCount: try row.count("received"), sentByteCount: try row.count("sent"),
            failureCount: try row.count("failures"), lastSeen: UnixTime.date(try row.integer("seen_ms")))
    }
}
