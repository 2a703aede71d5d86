public import DIGAccess
public import DIGContent
public import DIGIdentity
import Foundation
import GRDB

/// Whom this node serves, in the node's database.
///
/// Every decision reads what it needs, so that what one process writes counts for another from its next decision on. A record that can't be read is an error, and an
/// error is a refusal.
public struct SQLiteAccessStore: AccessStore {
    private let database: NodeDatabase

    public init(database: NodeDatabase) {
        self.database = database
    }

    /// Changes, and says so to whoever asks for the revision.
    private func change<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        try await self.database.write { database in
            let value = try body(database)
            try database.execute(sql: "UPDATE access_revision SET value = (value + 1) & 0x7fffffffffff")
            return value
        }
    }

    public func revision() async throws -> Int64 {
        try await self.database.read { try Int64.fetchOne($0, sql: "SELECT value FROM access_revision") ?? 0 }
    }

    // MARK: Deciding

    public func facts(about content: ContentHash, keys: [PublicKey], tokens: [AccessTokenID]) async throws -> AccessFacts {
        try await self.database.read { database in
            // Where nothing has a rule, what a file is shared in matters for the tokens of folders only: most nodes are done here.
            let needsScopes = try !tokens.isEmpty || Bool.fetchOne(database, sql: "SELECT EXISTS (SELECT 1 FROM access_list)") ?? true
            var facts = AccessFacts(scopes: needsScopes ? try Self.scopes(of: content, in: database) : [AccessScope(content: content)])
            for key in keys {
                let stored = try Data.fetchOne(database, sql: "SELECT public_key FROM trusted_peer WHERE peer = ?", arguments: [Data(key.peerID.bytes)])
                if let stored, stored.elementsEqual(key.protobufEncoded) { facts.trusted.insert(key.peerID) }
            }
            for token in tokens {
                let isRevoked = try Bool.fetchOne(database, sql: "SELECT revoked FROM access_token WHERE id = ?", arguments: [Data(token.bytes)])
                if isRevoked == true { facts.revoked.insert(token) }
            }
            return facts
        }
    }

    /// A rule of its own decides alone. Otherwise the content is what it is shared as: itself, or a part of folders.
    private static func scopes(of content: ContentHash, in database: Database) throws -> [AccessScope] {
        if let own = try Self.access(of: content, in: database) { return [AccessScope(content: content, access: own)] }
        var scopes: [AccessScope] = []
        if try Bool.fetchOne(database, sql: "SELECT EXISTS (SELECT 1 FROM share WHERE content_hash = ?)", arguments: [content.data]) == true {
            scopes.append(AccessScope(content: content))
        }
        let folders = try Row.fetchAll(
            database,
            sql: """
                SELECT DISTINCT share_file.content_hash FROM file JOIN share_file USING (path)
                WHERE file.content_hash = ?1 AND share_file.content_hash <> ?1 LIMIT \(AccessStoreLimits.scopeCount)
                """, arguments: [content.data])
        for row in folders {
            let folder = try row.contentHash()
            scopes.append(AccessScope(content: folder, access: try Self.access(of: folder, in: database) ?? .everyone))
        }
        return scopes.isEmpty ? [AccessScope(content: content)] : scopes
    }

    public func ring(digest: [UInt8]) async throws -> MemberRing? {
        try await self.database.read { database in
            let keys = try Data.fetchOne(
                database, sql: "SELECT keys FROM member_ring WHERE digest = ?1 UNION ALL SELECT ring FROM access_list WHERE ring_digest = ?1 LIMIT 1",
                arguments: [Data(digest)])
            return try keys.map { try MemberRing(decoding: [UInt8]($0)) }
        }
    }

    // MARK: Trusted peers

    public func trustedPeers() async throws -> [TrustedPeer] {
        try await self.database.read { database in
            try Row.fetchAll(database, sql: "SELECT * FROM trusted_peer ORDER BY coalesce(name, ''), peer").map(Self.trustedPeer)
        }
    }

    public func trustedPeer(_ peer: PeerID) async throws -> TrustedPeer? {
        try await self.database.read { database in
            try Row.fetchOne(database, sql: "SELECT * FROM trusted_peer WHERE peer = ?", arguments: [Data(peer.bytes)]).map(Self.trustedPeer)
        }
    }

    public func trust(_ peer: TrustedPeer) async throws {
        let name = try Self.bounded(peer.name)
        try await self.change { database in
            try database.execute(
                sql: """
                    INSERT INTO trusted_peer (peer, public_key, name, added_ms) VALUES (?, ?, ?, ?)
                    ON CONFLICT (peer) DO UPDATE SET public_key = excluded.public_key, name = excluded.name
                    """,
                arguments: [Data(peer.peer.bytes), Data(peer.publicKey.protobufEncoded), name, UnixTime.milliseconds(peer.added)])
            try Self.limit("trusted_peer", AccessStoreLimits.trustedPeerCount, in: database)
        }
    }

    @discardableResult
    public func removeTrusted(_ peer: PeerID) async throws -> Bool {
        try await self.change { database in
            try database.execute(sql: "DELETE FROM trusted_peer WHERE peer = ?", arguments: [Data(peer.bytes)])
            return database.changesCount > 0
        }
    }

    private static func trustedPeer(_ row: Row) throws -> TrustedPeer {
        do {
            return try TrustedPeer(
                peer: PeerID(bytes: row.bytes("peer")), publicKey: PublicKey(protobufEncoded: row.bytes("public_key")), name: row.optionalText("name"),
                added: UnixTime.date(row.integer("added_ms")))
        } catch {
            throw StorageError(.malformedRecord, "a trusted peer in the database is none", cause: error)
        }
    }

    // MARK: Access lists

    public func access(of content: ContentHash) async throws -> ContentAccess? {
        try await self.database.read { try Self.access(of: content, in: $0) }
    }

    public func setAccess(_ access: ContentAccess?, of content: ContentHash) async throws {
        try await self.change { database in
            try database.execute(sql: "DELETE FROM access_list WHERE content_hash = ?", arguments: [content.data])
            switch access {
            case nil, .everyone: return
            case .trusted: try Self.insert(content, "trusted", in: database)
            case .only(let peers):
                guard peers.count <= ContentAccess.maximumPeerCount else { throw AccessError.unavailable }
                try Self.insert(content, "only", in: database)
                for peer in peers {
                    try database.execute(sql: "INSERT INTO access_list_peer (content_hash, peer) VALUES (?, ?)", arguments: [content.data, Data(peer.bytes)])
                }
            case .members(let ring): try Self.insert(content, "members", ring: ring, in: database)
            }
            try Self.limit("access_list", AccessStoreLimits.accessListCount, in: database)
        }
    }

    /// The rule of whatever is shared from `path`.
    public func access(ofShareAt path: String) async throws -> ContentAccess? {
        try await self.database.read { database in
            let shares = try Row.fetchAll(database, sql: "SELECT content_hash FROM share WHERE path = ? ORDER BY added_ms DESC", arguments: [path])
            for row in shares {
                if let access = try Self.access(of: row.contentHash(), in: database) { return access }
            }
            return nil
        }
    }

    public func accessLists() async throws -> [ContentHash: ContentAccess] {
        try await self.database.read { database in
            var lists: [ContentHash: ContentAccess] = [:]
            for row in try Row.fetchAll(database, sql: "SELECT * FROM access_list") { lists[try row.contentHash()] = try Self.access(row, in: database) }
            return lists
        }
    }

    private static func insert(_ content: ContentHash, _ kind: String, ring: MemberRing? = nil, in database: Database) throws {
        try database.execute(
            sql: "INSERT INTO access_list (content_hash, kind, ring, ring_digest) VALUES (?, ?, ?, ?)",
            arguments: [content.data, kind, ring.map { Data($0.encoded) }, ring.map { Data($0.digest) }])
    }

    private static func access(of content: ContentHash, in database: Database) throws -> ContentAccess? {
        try Row.fetchOne(database, sql: "SELECT * FROM access_list WHERE content_hash = ?", arguments: [content.data]).map { try Self.access($0, in: database) }
    }

    private static func access(_ row: Row, in database: Database) throws -> ContentAccess {
        do {
            switch try row.text("kind") {
            case "trusted": return .trusted
            case "only":
                let peers = try Data.fetchAll(
                    database, sql: "SELECT peer FROM access_list_peer WHERE content_hash = ?", arguments: [row.contentHash().data])
                return .only(Set(try peers.map { try PeerID(bytes: [UInt8]($0)) }))
            case "members": return .members(of: try MemberRing(decoding: row.bytes("ring")))
            default: throw StorageError(.malformedRecord, "the database has an access list of a kind that is not known")
            }
        } catch let error as StorageError {
            throw error
        } catch {
            throw StorageError(.malformedRecord, "an access list in the database is none", cause: error)
        }
    }

    // MARK: Members

    public func rings() async throws -> [NamedRing] {
        try await self.database.read { database in
            try Row.fetchAll(database, sql: "SELECT name, keys FROM member_ring ORDER BY name").map { row in
                do {
                    return NamedRing(name: try row.text("name"), ring: try MemberRing(decoding: row.bytes("keys")))
                } catch {
                    throw StorageError(.malformedRecord, "a ring of members in the database is none", cause: error)
                }
            }
        }
    }

    public func setRing(_ ring: MemberRing?, name: String) async throws {
        guard let name = try Self.bounded(name) else { return }
        try await self.change { database in
            guard let ring else { return try database.execute(sql: "DELETE FROM member_ring WHERE name = ?", arguments: [name]) }
            try database.execute(
                sql: "INSERT OR REPLACE INTO member_ring (name, digest, keys) VALUES (?, ?, ?)", arguments: [name, Data(ring.digest), Data(ring.encoded)])
            try Self.limit("member_ring", AccessStoreLimits.ringCount, in: database)
        }
    }

    // MARK: Tokens

    public func add(_ token: IssuedToken, nowMilliseconds: UInt64) async throws {
        let note = try Self.bounded(token.note)
        try await self.change { database in
            try database.execute(sql: "DELETE FROM access_token WHERE expires_ms <= ?", arguments: [Int64(clamping: nowMilliseconds)])
            try Self.insert(token, note: note, in: database)
            try Self.limit("access_token", AccessStoreLimits.tokenCount, in: database)
        }
    }

    public func issuedTokens() async throws -> [IssuedToken] {
        try await self.database.read { database in
            try Row.fetchAll(database, sql: "SELECT * FROM access_token ORDER BY issued_ms DESC, id").map(Self.token)
        }
    }

    @discardableResult
    public func revoke(_ token: AccessTokenID, expiresMilliseconds: UInt64) async throws -> Bool {
        try await self.change { database in
            try database.execute(sql: "UPDATE access_token SET revoked = 1 WHERE id = ? AND revoked = 0", arguments: [Data(token.bytes)])
            if database.changesCount > 0 { return true }
            if try Bool.fetchOne(database, sql: "SELECT revoked FROM access_token WHERE id = ?", arguments: [Data(token.bytes)]) == nil {
                let unknown = IssuedToken(
                    id: token, contents: [], holder: nil, issuedMilliseconds: 0, expiresMilliseconds: expiresMilliseconds, isRevoked: true)
                try Self.insert(unknown, note: nil, in: database)
                try Self.limit("access_token", AccessStoreLimits.tokenCount, in: database)
            }
            return false
        }
    }

    private static func insert(_ token: IssuedToken, note: String?, in database: Database) throws {
        try database.execute(
            sql: "INSERT INTO access_token (id, contents, holder, note, issued_ms, expires_ms, revoked) VALUES (?, ?, ?, ?, ?, ?, ?)",
            arguments: [
                Data(token.id.bytes), Data(token.contents.sorted { $0.description < $1.description }.flatMap(\.digest.bytes)), token.holder.map { Data($0.bytes) }, note,
                Int64(clamping: token.issuedMilliseconds), Int64(clamping: token.expiresMilliseconds), token.isRevoked,
            ])
    }

    private static func token(_ row: Row) throws -> IssuedToken {
        do {
            let bytes = try row.bytes("contents")
            guard let id = AccessTokenID(bytes: try row.bytes("id")), bytes.count.isMultiple(of: SHA256Digest.byteCount) else {
                throw StorageError(.malformedRecord, "a token in the database is none")
            }
            let contents = stride(from: 0, to: bytes.count, by: SHA256Digest.byteCount).compactMap { start in
                SHA256Digest(bytes: Array(bytes[start..<start + SHA256Digest.byteCount])).map { ContentHash(digest: $0) }
            }
            let holder = try row.optionalData("holder").map { try PeerID(bytes: [UInt8]($0)) }
            return IssuedToken(
                id: id, contents: Set(contents), holder: holder, note: try row.optionalText("note"), issuedMilliseconds: try row.count("issued_ms"),
                expiresMilliseconds: try row.count("expires_ms"), isRevoked: try row.integer("revoked") != 0)
        } catch let error as StorageError {
            throw error
        } catch {
            throw StorageError(.malformedRecord, "a token in the database is none", cause: error)
        }
    }

    // MARK: Limits

    /// - Throws: ``AccessError`` with `.unavailable`, which undoes the change, if a table has too many rows.
    private static func limit(_ table: String, _ count: Int, in database: Database) throws {
        guard try Int.fetchOne(database, sql: "SELECT count(*) FROM \(table)") ?? 0 <= count else { throw AccessError.unavailable }
    }

    private static func bounded(_ text: String?) throws -> String? {
        guard let text, !text.isEmpty else { return nil }
        guard text.utf8.count <= AccessStoreLimits.nameByteCount else { throw AccessError.malformed }
        return text
    }
}
