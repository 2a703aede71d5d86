import DIGAnnouncement
public import DIGContent
public import DIGIdentity
import DIGTransfer
import Foundation
import GRDB

/// What is shared, with the hashes that serving needs.
///
/// A share refers to files; files and their hash layers are kept by path, so that sharing again what has not changed costs no hashing, and a
/// folder whose hashing was interrupted goes on where it was. Files that no share refers to are never served.
public struct SharedContentStore: Sendable {
    let database: NodeDatabase

    public init(database: NodeDatabase) {
        self.database = database
    }

    // MARK: Files

    /// The hashes of the file at `path`, if they were saved when it had this stamp.
    public func hashedFile(at path: String, stamp: FileStamp) async throws(StorageError) -> (file: HashedFile, sha256: SHA256Digest?)? {
        guard let file = try await self.file(at: path), file.stamp == stamp else { return nil }
        guard let layer = try await self.database.read({ try Self.layer(of: file.descriptor, in: $0) }) else { return nil }
        do {
            let layout = try ChunkLayout(fileSize: file.descriptor.size, layer: file.chunkLayer)
            return (HashedFile(descriptor: file.descriptor, layout: layout, chunkLayer: layer, stamp: stamp), file.sha256)
        } catch {
            throw StorageError(.malformedRecord, "the stored chunk size does not fit the file", cause: error)
        }
    }

    /// What is stored of the file at `path`, whatever it is by now.
    public func file(at path: String) async throws(StorageError) -> SharedFile? {
        try await self.database.read { database in
            try Row.fetchOne(database, sql: "SELECT * FROM file WHERE path = ?", arguments: [path]).map(Self.file)
        }
    }

    /// Keeps the hashes of files; what was stored for the same paths is replaced.
    public func save(_ files: [(path: String, file: HashedFile)]) async throws(StorageError) {
        try await self.database.write { database in
            for (path, file) in files {
                let descriptor = file.descriptor
                try database.execute(
                    sql: """
                        INSERT INTO file (path, content_hash, size, root, chunk_layer, modified_ns, inode, device) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                        ON CONFLICT (path) DO UPDATE SET
                            sha256 = CASE WHEN content_hash = excluded.content_hash THEN sha256 END,
                            content_hash = excluded.content_hash, size = excluded.size, root = excluded.root, chunk_layer = excluded.chunk_layer,
                            modified_ns = excluded.modified_ns, inode = excluded.inode, device = excluded.device
                        """,
                    arguments: [
                        path, descriptor.contentHash.data, Int64(clamping: descriptor.size), descriptor.root.data, file.layout.layer,
                        file.stamp.modificationTimeNanoseconds, Int64(bitPattern: file.stamp.inode), Int64(bitPattern: file.stamp.device),
                    ])
                try database.execute(
                    sql: "INSERT OR REPLACE INTO layer (content_hash, chunk_layer, hashes) VALUES (?, ?, ?)",
                    arguments: [descriptor.contentHash.data, file.layout.layer, Data(file.chunkLayer.rawBytes)])
            }
        }
    }

    /// Adds the plain SHA-256 of a file that was saved before; nothing happens if the file has another stamp by now.
    public func setSHA256(_ sha256: SHA256Digest, forFileAt path: String, stamp: FileStamp) async throws(StorageError) {
        try await self.database.write { database in
            try database.execute(
                sql: "UPDATE file SET sha256 = ? WHERE path = ? AND size = ? AND modified_ns = ? AND inode = ? AND device = ?",
                arguments: [
                    sha256.data, path, Int64(clamping: stamp.size), stamp.modificationTimeNanoseconds, Int64(bitPattern: stamp.inode),
                    Int64(bitPattern: stamp.device),
                ])
        }
    }

    // MARK: Shares

    /// Shares files that were saved before.
    ///
    /// What was shared from the same path and has another content by now is shared no more. The same file at several paths is one share
    /// with several copies.
    ///
    /// - Parameters:
    ///   - paths: The file, or the files of the folder.
    ///   - listing: The encoded ``FolderListing``, for a folder.
    /// - Throws: ``StorageError``; `.failed` if one of `paths` was not saved. Nothing is shared then.
    public func add(_ share: Share, paths: [String], listing: [UInt8]? = nil) async throws(StorageError) {
        let hash = share.contentHash.data
        try await self.database.write { database in
            if listing != nil { try database.execute(sql: "DELETE FROM share_file WHERE content_hash = ?", arguments: [hash]) }
            try database.execute(
                sql: """
                    INSERT INTO share (content_hash, path, name, content_id, announce_level, size, listing, added_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT (content_hash) DO UPDATE SET
                        path = excluded.path, name = excluded.name, content_id = excluded.content_id, announce_level = excluded.announce_level, size = excluded.size,
                        listing = excluded.listing, added_ms = excluded.added_ms
                    """,
                arguments: [
                    hash, share.path, share.name, share.contentID, share.announceLevel?.rawValue ?? Self.unannounced, Int64(clamping: share.byteCount), listing.map { Data($0) },
                    UnixTime.milliseconds(share.added),
                ])
            let statement = try database.makeStatement(sql: "INSERT OR IGNORE INTO share_file (content_hash, path) VALUES (?, ?)")
            for path in paths { try statement.execute(arguments: [hash, path]) }

            try database.execute(
                sql: "DELETE FROM share WHERE path = ? AND content_hash <> ? AND listing IS NOT NULL", arguments: [share.path, hash])
            try database.execute(
                sql: """
                    DELETE FROM share_file WHERE path = ? AND content_hash IN
                        (SELECT content_hash FROM share WHERE listing IS NULL AND content_hash <> ?)
                    """, arguments: [share.path, hash])
            try Self.settleCopies(database)
        }
    }

    /// A shared file without a copy is no share; one whose path is not among its copies goes by another.
    private static func settleCopies(_ database: Database) throws {
        try database.execute(
            sql: """
                DELETE FROM share WHERE listing IS NULL AND content_hash NOT IN (SELECT content_hash FROM share_file);
                UPDATE share SET path = (SELECT min(path) FROM share_file WHERE share_file.content_hash = share.content_hash)
                WHERE listing IS NULL AND path NOT IN (SELECT path FROM share_file WHERE share_file.content_hash = share.content_hash);
                """)
    }

    /// All shares, the newest first.
    public func shares() async throws(StorageError) -> [Share] {
        try await self.database.read { database in
            try Row.fetchAll(database, sql: "SELECT * FROM share ORDER BY added_ms DESC, path").map(Self.share)
        }
    }

    public func share(_ contentHash: ContentHash) async throws(StorageError) -> Share? {
        try await self.database.read { database in
            try Row.fetchOne(database, sql: "SELECT * FROM share WHERE content_hash = ?", arguments: [contentHash.data]).map(Self.share)
        }
    }

    /// Shares of the file or folder at `path`, or that go by `path` as their name.
    public func shares(atPathOrContentID path: String) async throws(StorageError) -> [Share] {
        try await self.database.read { database in
            try Row.fetchAll(database, sql: "SELECT * FROM share WHERE path = ?1 OR content_id = ?1 ORDER BY added_ms DESC", arguments: [path])
                .map(Self.share)
        }
    }

    /// The files of a share, by path.
    public func files(of contentHash: ContentHash) async throws(StorageError) -> [SharedFile] {
        try await self.database.read { database in
            try Row.fetchAll(
                database, sql: "SELECT file.* FROM file JOIN share_file USING (path) WHERE share_file.content_hash = ? ORDER BY path",
                arguments: [contentHash.data]
            ).map(Self.file)
        }
    }

    /// Ends a share and forgets what only it needed.
    ///
    /// - Returns: What was shared; `nil` if there was no such share.
    @discardableResult
    public func remove(_ contentHash: ContentHash) async throws(StorageError) -> Share? {
        try await self.database.write { database in
            guard let row = try Row.fetchOne(database, sql: "SELECT * FROM share WHERE content_hash = ?", arguments: [contentHash.data]) else { return nil }
            let share = try Self.share(row)
            try database.execute(sql: "DELETE FROM share WHERE content_hash = ?", arguments: [contentHash.data])
            try Self.removeUnused(database)
            return share
        }
    }

    /// Forgets files, layers and bindings that no share needs, such as those of a folder whose hashing was given up.
    public func removeUnused() async throws(StorageError) {
        try await self.database.write(Self.removeUnused)
    }

    private static func removeUnused(_ database: Database) throws {
        try database.execute(
            sql: """
                DELETE FROM file WHERE path NOT IN (SELECT path FROM share_file);
                DELETE FROM layer WHERE content_hash NOT IN (SELECT content_hash FROM file);
                DELETE FROM binding WHERE content_hash NOT IN (SELECT content_hash FROM file UNION SELECT content_hash FROM share);
                """)
    }

    // MARK: Serving

    /// The shared files with this content, at whatever paths, but for those found changed.
    public func files(with contentHash: ContentHash) async throws(StorageError) -> [SharedFile] {
        try await self.database.read { try Self.files(with: contentHash, in: $0) }
    }

    static func files(with contentHash: ContentHash, in database: Database) throws -> [SharedFile] {
        try Row.fetchAll(
            database, sql: "SELECT * FROM file WHERE content_hash = ? AND path IN (SELECT path FROM share_file) AND NOT (\(Self.isForgotten)) ORDER BY path",
            arguments: [contentHash.data]
        ).map(Self.file)
    }

    /// The encoded listing of a shared folder; `nil` if no folder with this content is shared.
    public func listing(of contentHash: ContentHash) async throws(StorageError) -> [UInt8]? {
        try await self.database.read { database in
            try Data.fetchOne(database, sql: "SELECT listing FROM share WHERE content_hash = ?", arguments: [contentHash.data]).map { [UInt8]($0) }
        }
    }

    /// The stamp of a file that was found changed: no file has it.
    private static let isForgotten = "inode = 0 AND device = 0"

    /// The file has changed or is gone: its hashes are forgotten, and the shares it was in serve it no more. The last copy stays in its shares, where
    /// ``SharedFile/isForgotten`` says so.
    public func forgetFile(at path: String) async throws(StorageError) {
        try await self.database.write { try Self.forgetFile(at: path, in: $0) }
    }

    static func forgetFile(at path: String, in database: Database) throws {
        try database.execute(
            sql: "UPDATE file SET inode = 0, device = 0, modified_ns = 0 WHERE path = ?", arguments: [path])
        try database.execute(
            sql: """
                DELETE FROM file WHERE path = ?1 AND EXISTS (SELECT 1 FROM file AS other WHERE other.content_hash = file.content_hash AND other.path <> ?1
                    AND other.path IN (SELECT path FROM share_file) AND NOT (other.inode = 0 AND other.device = 0))
                    AND path NOT IN (SELECT share_file.path FROM share_file JOIN share USING (content_hash) WHERE share.listing IS NOT NULL)
                """, arguments: [path])
        try Self.settleCopies(database)
        try database.execute(sql: "DELETE FROM layer WHERE content_hash NOT IN (SELECT content_hash FROM file)")
    }

    // MARK: Bindings

    /// Keeps a signed name of a content. One signer's older binding of the same name is replaced.
    public func save(_ envelope: SignedEnvelope, for binding: NameBinding) async throws(StorageError) {
        let (sha256, name): (Data?, String?) =
            switch binding.key {
            case .sha256(let digest): (digest.data, nil)
            case .name(let name): (nil, name)
            }
        try await self.database.write { database in
            try database.execute(
                sql: "INSERT OR REPLACE INTO binding (content_hash, sha256, name, signer, envelope, added_ms) VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [
                    binding.contentHash.data, sha256, name, Data(binding.signer.protobufEncoded), Data(envelope.encoded),
                    Int64(clamping: binding.timestampMilliseconds),
                ])
        }
    }

    /// The bindings of a name or plain SHA-256 to contents, newest first, at most `limit`.
    public func storedBindings(for key: BindingKey, limit: Int = 16) async throws(StorageError) -> [SignedEnvelope] {
        try await self.database.read { database in
            switch key {
            case .sha256(let digest):
                try Self.envelopes(database, "sha256 = ?", [digest.data], limit)
            case .name(let name):
                try Self.envelopes(database, "name = ?", [name], limit)
            }
        }
    }

    /// The bindings of a content, newest first, at most `limit`.
    public func bindings(of contentHash: ContentHash, limit: Int = 16) async throws(StorageError) -> [SignedEnvelope] {
        try await self.database.read { try Self.envelopes($0, "content_hash = ?", [contentHash.data], limit) }
    }

    private static func envelopes(_ database: Database, _ condition: String, _ arguments: StatementArguments, _ limit: Int) throws -> [SignedEnvelope] {
        let sql = "SELECT envelope FROM binding WHERE \(condition) ORDER BY added_ms DESC LIMIT \(max(0, limit))"
        return try Data.fetchAll(database, sql: sql, arguments: arguments).map { try SignedEnvelope(decoding: [UInt8]($0)) }
    }

    // MARK: Rows

    private static func share(_ row: Row) throws -> Share {
        let listing = try row.optionalData("listing")
        return Share(
            contentHash: try row.contentHash(), kind: listing == nil ? .file : .folder, path: try row.text("path"), name: try row.text("name"),
            contentID: try row.optionalText("content_id"), announceLevel: try self.announceLevel(row), byteCount: try row.count("size"),
            added: UnixTime.date(try row.integer("added_ms")))
    }

    /// In place of a level, for what others are not told of.
    private static let unannounced = "none"

    private static func announceLevel(_ row: Row) throws -> AnnounceLevel? {
        let text = try row.text("announce_level")
        // What a later version says of it is not known here.
        return text == self.unannounced ? nil : AnnounceLevel(rawValue: text) ?? .medium
    }

    private static func file(_ row: Row) throws -> SharedFile {
        SharedFile(
            path: try row.text("path"), descriptor: try row.descriptor(), chunkLayer: Int(clamping: try row.integer("chunk_layer")),
            stamp: try row.stamp(), sha256: try row.optionalDigest("sha256"))
    }

    /// The stored chunk hashes; `nil` if there are none.
    static func layer(of descriptor: FileDescriptor, in database: Database) throws -> TreeLayer? {
        guard let row = try Row.fetchOne(database, sql: "SELECT * FROM layer WHERE content_hash = ?", arguments: [descriptor.contentHash.data]) else {
            return nil
        }
        do {
            let layout = try ChunkLayout(fileSize: descriptor.size, layer: Int(clamping: row.integer("chunk_layer")))
            return try TreeLayer(fileSize: descriptor.size, layer: layout.treeLayer, rawBytes: row.bytes("hashes"))
        } catch let error as ContentError {
            throw StorageError(.malformedRecord, "the stored hashes do not fit the file", cause: error)
        }
    }
}
