import DIGContent
import DIGStorage
import Foundation
import GRDB
import Testing

@Suite("Migrations")
struct MigrationTests {
    /// The first version's tables, as it wrote them: the migration that makes them must never change.
    private static let version1 = """
        CREATE TABLE file (
            path TEXT PRIMARY KEY NOT NULL,
            content_hash BLOB NOT NULL CHECK (length(content_hash) = 32),
            size INTEGER NOT NULL,
            root BLOB NOT NULL CHECK (length(root) = 32),
            chunk_layer INTEGER NOT NULL CHECK (chunk_layer BETWEEN 0 AND 6),
            sha256 BLOB CHECK (length(sha256) = 32),
            modified_ns INTEGER NOT NULL,
            inode INTEGER NOT NULL,
            device INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX file_content_hash ON file (content_hash);
        CREATE INDEX file_sha256 ON file (sha256) WHERE sha256 IS NOT NULL;
        CREATE TABLE layer (
            content_hash BLOB PRIMARY KEY NOT NULL CHECK (length(content_hash) = 32),
            chunk_layer INTEGER NOT NULL CHECK (chunk_layer BETWEEN 0 AND 6),
            hashes BLOB NOT NULL
        ) STRICT;
        CREATE TABLE share (
            content_hash BLOB PRIMARY KEY NOT NULL CHECK (length(content_hash) = 32),
            path TEXT NOT NULL,
            name TEXT NOT NULL,
            content_id TEXT,
            size INTEGER NOT NULL,
            listing BLOB,
            added_ms INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE share_file (
            content_hash BLOB NOT NULL REFERENCES share (content_hash) ON DELETE CASCADE,
            path TEXT NOT NULL REFERENCES file (path) ON DELETE CASCADE,
            PRIMARY KEY (content_hash, path)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX share_file_path ON share_file (path);
        CREATE TABLE binding (
            content_hash BLOB NOT NULL CHECK (length(content_hash) = 32),
            sha256 BLOB CHECK (length(sha256) = 32),
            name TEXT,
            signer BLOB NOT NULL,
            envelope BLOB NOT NULL,
            added_ms INTEGER NOT NULL,
            CHECK ((sha256 IS NULL) <> (name IS NULL))
        ) STRICT;
        CREATE UNIQUE INDEX binding_sha256 ON binding (sha256, signer, content_hash) WHERE sha256 IS NOT NULL;
        CREATE UNIQUE INDEX binding_name ON binding (name, signer) WHERE name IS NOT NULL;
        CREATE INDEX binding_content_hash ON binding (content_hash);
        CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
        INSERT INTO grdb_migrations VALUES ('1 shares');
        """

    /// Tables and indexes with their white space made equal.
    private func schema(_ database: Database) throws -> [String: String] {
        var schema: [String: String] = [:]
        for row in try Row.fetchAll(database, sql: "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'grdb%'") {
            let name: String = row["name"]
            let sql: String = row["sql"]
            schema[name] = sql.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }
        return schema
    }

    @Test("from nothing make the tables that the first version made, and those that came later")
    func fromScratch() async throws {
        let directory = try TemporaryDirectory()
        try NodeDatabase(directory: directory.path).close()
        let made = try await DatabaseQueue(path: directory.path + "/dig-nat.db").read { try self.schema($0) }
        let first = try DatabaseQueue()
        try await first.write { database in
            try database.execute(sql: Self.version1)
            // The only one of its tables that has grown since.
            try database.execute(sql: "ALTER TABLE share ADD COLUMN announce_level TEXT NOT NULL DEFAULT 'medium'")
        }
        for (name, sql) in try await first.read({ try self.schema($0) }) {
            #expect(made[name] == sql, "\(name)")
        }
        for name in ["transfer", "transfer_hashes", "peer", "counter", "attempt", "kademlia_provider", "gun_node"] { #expect(made[name] != nil, "\(name)") }
    }

    @Test("keep what the first version stored")
    func fromVersion1() async throws {
        let directory = try TemporaryDirectory()
        let descriptor = try FileDescriptor(size: 5, root: SHA256Digest(hashing: [1, 2, 3]))
        let old = try DatabaseQueue(path: directory.path + "/dig-nat.db")
        try await old.write { database in
            try database.execute(sql: Self.version1)
            try database.execute(
                sql: "INSERT INTO file VALUES ('/a', ?, 5, ?, 2, NULL, 17, 18, -1)",
                arguments: [Data(descriptor.contentHash.digest.bytes), Data(descriptor.root.bytes)])
            try database.execute(
                sql: "INSERT INTO share VALUES (?, '/a', 'a', 'id', 5, NULL, 1700000000123)", arguments: [Data(descriptor.contentHash.digest.bytes)])
            try database.execute(sql: "INSERT INTO share_file VALUES (?, '/a')", arguments: [Data(descriptor.contentHash.digest.bytes)])
        }
        try old.close()

        let database = try NodeDatabase(directory: directory.path)
        let store = SharedContentStore(database: database)
        let share = try #require(try await store.shares().first)
        #expect(share.contentHash == descriptor.contentHash)
        #expect(share.contentID == "id")
        #expect(share.added == Date(timeIntervalSince1970: 1_700_000_000.123))
        let file = try #require(try await store.files(with: descriptor.contentHash).first)
        #expect(file.stamp == FileStamp(size: 5, modificationTimeNanoseconds: 17, inode: 18, device: .max))
        try await PeerStore(database: database).increment("works")
        #expect(try await SQLiteTransferStore(database: database).transfers().isEmpty)
    }
}
