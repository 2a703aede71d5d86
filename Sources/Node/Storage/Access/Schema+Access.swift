import GRDB

extension Schema {
    /// Whom this node serves what.
    static func access(_ database: Database) throws {
        try database.execute(
            sql: """
                CREATE TABLE trusted_peer (
                    peer BLOB PRIMARY KEY NOT NULL,
                    public_key BLOB NOT NULL,
                    name TEXT,
                    added_ms INTEGER NOT NULL
                ) STRICT, WITHOUT ROWID;

                CREATE TABLE access_list (
                    content_hash BLOB PRIMARY KEY NOT NULL CHECK (length(content_hash) = 32),
                    kind TEXT NOT NULL CHECK (kind IN ('trusted', 'only', 'members')),
                    ring BLOB,
                    ring_digest BLOB CHECK (length(ring_digest) = 32),
                    CHECK ((kind = 'members') = (ring IS NOT NULL)),
                    CHECK ((ring IS NULL) = (ring_digest IS NULL))
                ) STRICT;
                CREATE INDEX access_list_ring ON access_list (ring_digest) WHERE ring_digest IS NOT NULL;

                CREATE TABLE access_list_peer (
                    content_hash BLOB NOT NULL REFERENCES access_list (content_hash) ON DELETE CASCADE,
                    peer BLOB NOT NULL,
                    PRIMARY KEY (content_hash, peer)
                ) STRICT, WITHOUT ROWID;

                CREATE TABLE member_ring (
                    name TEXT PRIMARY KEY NOT NULL,
                    digest BLOB NOT NULL CHECK (length(digest) = 32),
                    keys BLOB NOT NULL
                ) STRICT;
                CREATE INDEX member_ring_digest ON member_ring (digest);

                -- `contents`: 32 bytes each; none stands for everything.
                CREATE TABLE access_token (
                    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
                    contents BLOB NOT NULL CHECK (length(contents) % 32 = 0),
                    holder BLOB,
                    note TEXT,
                    issued_ms INTEGER NOT NULL,
                    expires_ms INTEGER NOT NULL,
                    revoked INTEGER NOT NULL DEFAULT 0 CHECK (revoked IN (0, 1))
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX access_token_expires ON access_token (expires_ms);

                -- Counts changes of the tables above, by whatever process.
                CREATE TABLE access_revision (value INTEGER NOT NULL) STRICT;
                INSERT INTO access_revision VALUES (0);
                """)
    }
}
