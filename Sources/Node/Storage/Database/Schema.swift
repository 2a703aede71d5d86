import GRDB

/// The tables, in the order in which they came to be. A migration that has been released is never changed.
///
/// Hashes are blobs of 32 bytes, times are milliseconds of Unix time, sizes fit SQLite's signed 64 bits (files have at most 2⁴⁰ bytes).
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 shares", migrate: Self.shares)
        migrator.registerMigration("2 transfers", migrate: Self.transfers)
        migrator.registerMigration("3 peers", migrate: Self.peers)
        migrator.registerMigration("4 attempts", migrate: Self.attempts)
        migrator.registerMigration("5 kademlia", migrate: Self.kademlia)
        migrator.registerMigration("6 gun", migrate: Self.gun)
        migrator.registerMigration("7 signaling", migrate: Self.signaling)
        migrator.registerMigration("8 availability", migrate: Self.availability)
        migrator.registerMigration("9 access", migrate: Self.access)
        migrator.registerMigration("10 announce level", migrate: Self.announceLevel)
        return migrator
    }

    /// Files and folders that are shared, and the signed names they go by.
    private static func shares(_ database: Database) throws {
        try database.execute(
            sql: """
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
                """)
    }

    /// Downloads that are not finished.
    private static func transfers(_ database: Database) throws {
        try database.execute(
            sql: """
                CREATE TABLE transfer (
                    content_hash BLOB NOT NULL CHECK (length(content_hash) = 32),
                    destination TEXT NOT NULL,
                    size INTEGER NOT NULL,
                    root BLOB NOT NULL CHECK (length(root) = 32),
                    chunk_layer INTEGER NOT NULL CHECK (chunk_layer BETWEEN 0 AND 6),
                    verified BLOB NOT NULL,
                    updated_ms INTEGER NOT NULL,
                    PRIMARY KEY (content_hash, destination)
                ) STRICT;

                -- Of its own, so that a checkpoint doesn't write megabytes of hashes again.
                CREATE TABLE transfer_hashes (
                    content_hash BLOB NOT NULL,
                    destination TEXT NOT NULL,
                    hashes BLOB NOT NULL,
                    PRIMARY KEY (content_hash, destination),
                    FOREIGN KEY (content_hash, destination) REFERENCES transfer (content_hash, destination) ON DELETE CASCADE
                ) STRICT;
                """)
    }

    /// What peers have done, by peer; and counters of this node.
    private static func peers(_ database: Database) throws {
        try database.execute(
            sql: """
                CREATE TABLE peer (
                    id BLOB PRIMARY KEY NOT NULL,
                    received INTEGER NOT NULL DEFAULT 0,
                    sent INTEGER NOT NULL DEFAULT 0,
                    failures INTEGER NOT NULL DEFAULT 0,
                    seen_ms INTEGER NOT NULL
                ) STRICT;
                CREATE INDEX peer_seen ON peer (seen_ms);

                CREATE TABLE counter (
                    name TEXT PRIMARY KEY NOT NULL,
                    value INTEGER NOT NULL
                ) STRICT, WITHOUT ROWID;
                """)
    }

    /// How peers were reached, or not; and the sums, which outlive the single attempts.
    private static func attempts(_ database: Database) throws {
        try database.execute(
            sql: """
                CREATE TABLE attempt (
                    id INTEGER PRIMARY KEY NOT NULL,
                    peer BLOB NOT NULL,
                    method TEXT NOT NULL,
                    addresses TEXT NOT NULL,
                    started_ms INTEGER NOT NULL,
                    duration_ms INTEGER NOT NULL,
                    outcome TEXT NOT NULL CHECK (outcome IN ('succeeded', 'failed', 'overtaken')),
                    cause TEXT,
                    network TEXT NOT NULL
                ) STRICT;
                CREATE INDEX attempt_peer ON attempt (peer, id);

                CREATE TABLE method_statistics (
                    network TEXT NOT NULL,
                    method TEXT NOT NULL,
                    attempts INTEGER NOT NULL,
                    successes INTEGER NOT NULL,
                    success_ms INTEGER NOT NULL,
                    PRIMARY KEY (network, method)
                ) STRICT, WITHOUT ROWID;
                """)
    }

    /// What a node of the DHT knows and keeps for others, by network.
    private static func kademlia(_ database: Database) throws {
        try database.execute(
            sql: """
                -- The version counts what was saved.
                CREATE TABLE kademlia_network (
                    id INTEGER PRIMARY KEY NOT NULL,
                    name TEXT NOT NULL UNIQUE,
                    version INTEGER NOT NULL
                ) STRICT;

                -- Addresses are binary multiaddrs, each behind its length as a varint.
                CREATE TABLE kademlia_peer (
                    id INTEGER PRIMARY KEY NOT NULL,
                    network INTEGER NOT NULL REFERENCES kademlia_network (id) ON DELETE CASCADE,
                    peer BLOB NOT NULL,
                    addresses BLOB NOT NULL,
                    UNIQUE (network, peer)
                ) STRICT;

                CREATE TABLE kademlia_provider (
                    id INTEGER PRIMARY KEY NOT NULL,
                    network INTEGER NOT NULL REFERENCES kademlia_network (id) ON DELETE CASCADE,
                    key BLOB NOT NULL,
                    provider BLOB NOT NULL,
                    addresses BLOB NOT NULL,
                    statement BLOB,
                    expires_ms INTEGER NOT NULL,
                    UNIQUE (network, key, provider)
                ) STRICT;

                CREATE TABLE kademlia_value (
                    id INTEGER PRIMARY KEY NOT NULL,
                    network INTEGER NOT NULL REFERENCES kademlia_network (id) ON DELETE CASCADE,
                    key BLOB NOT NULL,
                    value BLOB NOT NULL,
                    expires_ms INTEGER NOT NULL,
                    UNIQUE (network, key)
                ) STRICT;

                CREATE TABLE kademlia_provided (
                    id INTEGER PRIMARY KEY NOT NULL,
                    network INTEGER NOT NULL REFERENCES kademlia_network (id) ON DELETE CASCADE,
                    key BLOB NOT NULL,
                    lifetime_s INTEGER NOT NULL,
                    provided_ms INTEGER NOT NULL,
                    UNIQUE (network, key)
                ) STRICT;
                """)
    }

    /// The graph of GUN. Texts are blobs of UTF-8, as they may hold U+0000, at which SQLite's C interface would end them.
    private static func gun(_ database: Database) throws {
        try database.execute(
            sql: """
                -- `saved` counts up with each node that is saved.
                CREATE TABLE gun_node (
                    id INTEGER PRIMARY KEY NOT NULL,
                    soul BLOB NOT NULL UNIQUE,
                    is_own INTEGER NOT NULL CHECK (is_own IN (0, 1)),
                    saved INTEGER NOT NULL
                ) STRICT;
                CREATE INDEX gun_node_saved ON gun_node (is_own, saved);

                -- `kind`: 0 null, 1 false, 2 true, 3 number, 4 text, 5 link. `state` and numbers are the bits of an IEEE 754 double: SQLite keeps
                -- no negative zero.
                CREATE TABLE gun_entry (
                    node INTEGER NOT NULL REFERENCES gun_node (id) ON DELETE CASCADE,
                    key BLOB NOT NULL,
                    kind INTEGER NOT NULL,
                    value BLOB,
                    state INTEGER NOT NULL,
                    PRIMARY KEY (node, key)
                ) STRICT, WITHOUT ROWID;
                """)
    }

    /// Over what a punch was agreed on, where there was no connection: a name such as `gun`.
    private static func signaling(_ database: Database) throws {
        try database.execute(sql: "ALTER TABLE attempt ADD COLUMN signaling TEXT")
    }

    /// How eagerly others are told of a share: a name such as `high`.
    private static func announceLevel(_ database: Database) throws {
        try database.execute(sql: "ALTER TABLE share ADD COLUMN announce_level TEXT NOT NULL DEFAULT 'medium'")
    }

    /// Who has what, as far as this node knows; how peers have behaved; and what was signed about it.
    private static func availability(_ database: Database) throws {
        try database.execute(
            sql: """
                -- `record` and `experiences` are protobuf: they are read as a whole, at the start, and never searched.
                CREATE TABLE availability_holder (
                    content_hash BLOB NOT NULL CHECK (length(content_hash) = 32),
                    peer BLOB NOT NULL,
                    record BLOB NOT NULL,
                    PRIMARY KEY (content_hash, peer)
                ) STRICT, WITHOUT ROWID;

                CREATE TABLE availability_reputation (
                    peer BLOB PRIMARY KEY NOT NULL,
                    experiences BLOB NOT NULL,
                    seen_ms INTEGER NOT NULL
                ) STRICT, WITHOUT ROWID;

                -- The latest of each kind by an author about a pair, which `identity` stands for: a hash of them. A greater `id` was received later.
                CREATE TABLE availability_record (
                    id INTEGER PRIMARY KEY NOT NULL,
                    identity BLOB NOT NULL UNIQUE,
                    content_hash BLOB NOT NULL CHECK (length(content_hash) = 32),
                    form INTEGER NOT NULL,
                    record BLOB NOT NULL,
                    received_ms INTEGER NOT NULL
                ) STRICT;
                CREATE INDEX availability_record_content ON availability_record (content_hash, id);
                """)
    }
}
