public import DIGGun
import Foundation
import GRDB
import Logging

/// The graph of GUN in the node's database: a row for each key of each node.
///
/// A node that is saved again costs reading its keys and writing those that differ. Every text keeps its code points and every number its
/// bits; what is no value of GUN, such as a number that is not finite, is left out when it is read.
public struct SQLiteGunStorage: GunStorage {
    private let database: NodeDatabase
    private let limits: GunStorageLimits

    public init(database: NodeDatabase, limits: GunStorageLimits = .init()) {
        self.database = database
        self.limits = limits
    }

    /// What was kept, own nodes first, then those saved last; at most `limit` nodes, within ``GunStorageLimits``.
    ///
    /// - Throws: ``StorageError``; `.damaged` if the file's pages contradict one another.
    public func load(limit: Int) async throws -> [GunStoredNode] {
        let limits = self.limits
        let (nodes, dropped) = try await self.database.read { database in
            var nodes: [GunStoredNode] = []
            var byteCount = 0
            var dropped = 0
            let entries = try database.cachedStatement(
                sql: """
                    SELECT key, kind, value, state FROM gun_entry
                    WHERE node = ? AND length(key) <= ?2 AND coalesce(length(value), 0) <= ?2 LIMIT ?3
                    """)
            let rows = try Row.fetchCursor(
                database,
                sql: "SELECT id, soul, is_own FROM gun_node WHERE length(soul) <= ? ORDER BY is_own DESC, saved DESC LIMIT ?",
                arguments: [limits.textByteCount, max(0, limit)])
            while let row = try rows.next() {
                guard case .int64(let id) = (row[0] as DatabaseValue).storage, let soul = (row[1] as DatabaseValue).exactText,
                    case .int64(let isOwn) = (row[2] as DatabaseValue).storage
                else {
                    dropped += 1
                    continue
                }
                var node = GunStoredNode(node: GunNode(soul), isOwn: isOwn == 1)
                byteCount += soul.byteCount
                let entries = try Row.fetchCursor(entries, arguments: [id, limits.textByteCount, limits.keyCount])
                while byteCount <= limits.byteCount, let row = try entries.next() {
                    guard let entry = StoredGunEntry(row: row), let (key, value) = entry.entry else {
                        dropped += 1
                        continue
                    }
                    byteCount += entry.byteCount
                    node.node.entries[key] = value
                }
                // Half a node is none.
                guard byteCount <= limits.byteCount else { break }
                if !node.node.entries.isEmpty { nodes.append(node) }
            }
            return (nodes, dropped)
        }
        if dropped > 0 {
            self.database.logger.info("entries of the graph in the database are malformed", metadata: ["dig.storage.dropped": "\(dropped)"])
        }
        return nodes
    }

    /// Keeps `nodes`, each in place of all that was kept under its soul, and drops the souls in `removed`, in one transaction.
    ///
    /// - Throws: ``StorageError``; what was kept before is kept then.
    public func save(_ nodes: [GunStoredNode], removing removed: [ExactText]) async throws {
        if nodes.isEmpty, removed.isEmpty { return }
        let limits = self.limits
        try await self.database.write { database in
            let remove = try database.cachedStatement(sql: "DELETE FROM gun_node WHERE soul = ?")
            for soul in removed { try remove.execute(arguments: [soul.data]) }
            var saved = try Self.newest(in: database)
            for node in nodes {
                saved += 1
                try Self.save(node, saved: saved, in: database)
            }
            try Self.removeOldest(above: limits.foreignNodeCount, in: database)
        }
    }

    /// The number of the last save.
    private static func newest(in database: Database) throws -> Int64 {
        let row = try Row.fetchOne(
            database, sql: "SELECT max(coalesce((SELECT max(saved) FROM gun_node WHERE is_own = 0), 0), coalesce((SELECT max(saved) FROM gun_node WHERE is_own = 1), 0))")
        // Only a damaged file comes near the end of the numbers; the order begins anew then.
        guard let row, case .int64(let newest) = (row[0] as DatabaseValue).storage, (0..<Int64.max / 2).contains(newest) else { return 0 }
        return newest
    }

    private static func save(_ stored: GunStoredNode, saved: Int64, in database: Database) throws {
        let soul = stored.node.soul.data
        let upsert = try database.cachedStatement(
            sql: """
                INSERT INTO gun_node (soul, is_own, saved) VALUES (?, ?, ?)
                ON CONFLICT (soul) DO UPDATE SET is_own = excluded.is_own, saved = excluded.saved
                RETURNING id
                """)
        guard let row = try Row.fetchOne(upsert, arguments: [soul, stored.isOwn ? 1 : 0, saved]),
            case .int64(let id) = (row[0] as DatabaseValue).storage
        else { throw StorageError(.malformedRecord, "a node of the graph has no number in the database") }

        var missing: [Data: StoredGunEntry] = Dictionary(minimumCapacity: stored.node.entries.count)
        for (key, entry) in stored.node.entries { missing[key.data] = StoredGunEntry(key: key, entry: entry) }
        var gone: [DatabaseValue] = []
        var written: [StoredGunEntry] = []
        let select = try database.cachedStatement(sql: "SELECT key, kind, value, state FROM gun_entry WHERE node = ?")
        let rows = try Row.fetchCursor(select, arguments: [id])
        while let row = try rows.next() {
            guard let known = StoredGunEntry(row: row), let entry = missing.removeValue(forKey: known.key) else {
                // Of whatever type it is.
                gone.append(row[0])
                continue
            }
            if entry != known { written.append(entry) }
        }
        if !gone.isEmpty {
            let delete = try database.cachedStatement(sql: "DELETE FROM gun_entry WHERE node = ? AND key = ?")
            for key in gone { try delete.execute(arguments: [id, key]) }
        }
        let insert = try database.cachedStatement(
            sql: """
                INSERT INTO gun_entry (node, key, kind, value, state) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (node, key) DO UPDATE SET kind = excluded.kind, value = excluded.value, state = excluded.state
                """)
        for entry in written + missing.values { try insert.execute(arguments: [id, entry.key, entry.kind, entry.value, entry.state]) }
    }

    private static func removeOldest(above limit: Int, in database: Database) throws {
        let row = try Row.fetchOne(database, sql: "SELECT count(*) FROM gun_node WHERE is_own = 0")
        guard let row, case .int64(let count) = (row[0] as DatabaseValue).storage, count > Int64(limit) else { return }
        try database.execute(
            sql: "DELETE FROM gun_node WHERE id IN (SELECT id FROM gun_node WHERE is_own = 0 ORDER BY saved LIMIT ?)", arguments: [count - Int64(limit)])
    }
}
