public import DIGContent
public import DIGTransfer
import Foundation
import GRDB

/// Unfinished downloads in the node's database.
public struct SQLiteTransferStore: TransferStore {
    private let database: NodeDatabase

    public init(database: NodeDatabase) {
        self.database = database
    }

    /// - Throws: ``StorageError``. A record that contradicts itself is as good as none: the download starts from what is on disk.
    public func load(_ contentHash: ContentHash, destination: String) async throws -> SavedTransfer? {
        try await self.database.read { database in
            let sql = "SELECT * FROM transfer LEFT JOIN transfer_hashes USING (content_hash, destination) WHERE content_hash = ? AND destination = ?"
            guard let row = try Row.fetchOne(database, sql: sql, arguments: [contentHash.data, destination]) else { return nil }
            do {
                return try Self.transfer(row)
            } catch let error as StorageError where error.code == .malformedRecord {
                return nil
            }
        }
    }

    /// - Throws: ``StorageError``.
    public func save(_ transfer: SavedTransfer) async throws {
        let now = UnixTime.milliseconds(Date())
        try await self.database.write { database in
            let descriptor = transfer.descriptor
            try database.execute(
                sql: """
                    INSERT INTO transfer (content_hash, destination, size, root, chunk_layer, verified, updated_ms) VALUES (?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT (content_hash, destination) DO UPDATE SET
                        size = excluded.size, root = excluded.root, chunk_layer = excluded.chunk_layer, verified = excluded.verified,
                        updated_ms = excluded.updated_ms
                    """,
                arguments: [
                    descriptor.contentHash.data, transfer.destination, Int64(clamping: descriptor.size), descriptor.root.data, transfer.chunkLayer,
                    Data(transfer.verified.bytes), now,
                ])
            if let hashes = transfer.chunkHashes {
                try database.execute(
                    sql: "INSERT OR REPLACE INTO transfer_hashes (content_hash, destination, hashes) VALUES (?, ?, ?)",
                    arguments: [descriptor.contentHash.data, transfer.destination, Data(hashes)])
            }
        }
    }

    /// - Throws: ``StorageError``.
    public func remove(_ contentHash: ContentHash, destination: String) async throws {
        try await self.database.write { database in
            try database.execute(sql: "DELETE FROM transfer WHERE content_hash = ? AND destination = ?", arguments: [contentHash.data, destination])
        }
    }

    /// All unfinished downloads without their hashes, the one worked on last first.
    public func transfers() async throws(StorageError) -> [SavedTransfer] {
        try await self.database.read { database in
            try Row.fetchAll(database, sql: "SELECT *, NULL AS hashes FROM transfer ORDER BY updated_ms DESC").compactMap { row in
                do {
                    return try Self.transfer(row)
                } catch let error as StorageError where error.code == .malformedRecord {
                    return nil
                }
            }
        }
    }

    private static func transfer(_ row: Row) throws -> SavedTransfer {
        let descriptor = try row.descriptor()
        let chunkLayer = Int(clamping: try row.integer("chunk_layer"))
        do {
            let layout = try ChunkLayout(fileSize: descriptor.size, layer: chunkLayer)
            var verified = ChunkBitmap(count: layout.chunkCount)
            let bytes = try row.bytes("verified")
            guard bytes.count == (layout.chunkCount + 7) / 8 else {
                throw StorageError(.malformedRecord, "a stored transfer has a bitmap of the wrong length")
            }
            try verified.insert(bytes: bytes, at: 0)
            let hashes = try row.optionalData("hashes")
            return SavedTransfer(
                descriptor: descriptor, chunkLayer: chunkLayer, destination: try row.text("destination"), verified: verified,
                chunkHashes: hashes.map { [UInt8]($0) })
        } catch let error as StorageError {
            throw error
        } catch {
            throw StorageError(.malformedRecord, "a stored transfer contradicts itself", cause: error)
        }
    }
}
