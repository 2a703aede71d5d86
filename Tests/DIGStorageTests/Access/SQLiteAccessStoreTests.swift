import DIGAccess
import DIGContent
import DIGIdentity
import Foundation
import GRDB
import Testing

@testable import DIGStorage

@Suite("SQLite access store")
struct SQLiteAccessStoreTests {
    let directory: TemporaryDirectory
    let database: NodeDatabase
    let store: SQLiteAccessStore

    init() throws {
        self.directory = try TemporaryDirectory()
        self.database = try NodeDatabase(directory: self.directory.path)
        self.store = SQLiteAccessStore(database: self.database)
    }

    static func hash(_ number: UInt8) -> ContentHash { ContentHash(digest: SHA256Digest(hashing: [number])) }

    /// A file at a path, as hashing leaves it.
    func addFile(_ path: String, _ size: UInt64) async throws -> ContentHash {
        let root = SHA256Digest(hashing: Array(path.utf8))
        let descriptor = try FileDescriptor(size: size, root: root)
        try await self.database.write { database in
            try database.execute(
                sql: "INSERT INTO file VALUES (?, ?, ?, ?, 2, NULL, 1, 1, 1)",
                arguments: [path, Data(descriptor.contentHash.digest.bytes), Int64(size), Data(root.bytes)])
        }
        return descriptor.contentHash
    }

    func share(_ hash: ContentHash, _ paths: [String], isFolder: Bool) async throws {
        try await self.database.write { database in
            try database.execute(
                sql: "INSERT INTO share (content_hash, path, name, size, listing, added_ms) VALUES (?, ?, 'n', 1, ?, 1)", arguments: [Data(hash.digest.bytes), paths.first ?? "/f", isFolder ? Data([1]) : nil])
            for path in paths { try database.execute(sql: "INSERT INTO share_file VALUES (?, ?)", arguments: [Data(hash.digest.bytes), path]) }
        }
    }

    @Test("trusted peers are kept with their very keys, of every kind", arguments: KeyAlgorithm.allCases)
    func trust(_ algorithm: KeyAlgorithm) async throws {
        let key = try KeyPair.generate(algorithm, rsaKeySize: 2048).publicKey
        let other = try KeyPair.generate().publicKey
        let peer = TrustedPeer(publicKey: key, name: "Ada", added: Date(timeIntervalSince1970: 1_700_000_000))
        try await self.store.trust(peer)
        #expect(try await self.store.trustedPeer(key.peerID) == peer)
        #expect(try await self.store.trustedPeers() == [peer])
        #expect(try await self.store.facts(about: Self.hash(1), keys: [key, other], tokens: []).trusted == [key.peerID])
        #expect(try await self.store.removeTrusted(key.peerID))
        #expect(try await self.store.removeTrusted(key.peerID) == false)
        #expect(try await self.store.facts(about: Self.hash(1), keys: [key, other], tokens: []).trusted.isEmpty)
    }

    @Test("a rule of each kind comes back as it was, and goes")
    func lists() async throws {
        let ring = try MemberRing([MemberKeyPair(KeyPair.generate()).publicKey, MemberKeyPair(KeyPair.generate()).publicKey])
        let peers = Set(try (0..<3).map { _ in try KeyPair.generate().peerID })
        for access in [ContentAccess.trusted, .only(peers), .only([]), .members(of: ring)] {
            try await self.store.setAccess(access, of: Self.hash(1))
            #expect(try await self.store.access(of: Self.hash(1)) == access)
            #expect(try await self.store.accessLists() == [Self.hash(1): access])
            #expect(try await self.store.facts(about: Self.hash(1), keys: [], tokens: []).scopes == [AccessScope(content: Self.hash(1), access: access)])
        }
        #expect(try await self.store.ring(digest: ring.digest) == ring)
        try await self.store.setAccess(.everyone, of: Self.hash(1))
        #expect(try await self.store.access(of: Self.hash(1)) == nil)
        #expect(try await self.store.ring(digest: ring.digest) == nil)
        #expect(try await self.store.accessLists().isEmpty)
    }

    @Test("a file is what it is shared as: itself, a part of folders with their rules, or with a rule of its own that alone")
    func scopes() async throws {
        let file = try await self.addFile("/d/a", 5)
        // Without any rule nobody needs to know.
        try await self.share(Self.hash(9), ["/d/a"], isFolder: true)
        #expect(try await self.store.facts(about: file, keys: [], tokens: []).scopes == [AccessScope(content: file)])
        #expect(try await self.store.facts(about: file, keys: [], tokens: [AccessTokenID()]).scopes == [AccessScope(content: Self.hash(9))])
        try await self.database.write { try $0.execute(sql: "DELETE FROM share") }
        try await self.store.setAccess(.trusted, of: Self.hash(7))
        #expect(try await self.store.facts(about: file, keys: [], tokens: []).scopes == [AccessScope(content: file)])
        try await self.share(Self.hash(1), ["/d/a"], isFolder: true)
        try await self.store.setAccess(.trusted, of: Self.hash(1))
        #expect(try await self.store.facts(about: file, keys: [], tokens: []).scopes == [AccessScope(content: Self.hash(1), access: .trusted)])
        try await self.share(Self.hash(2), ["/d/a"], isFolder: true)
        #expect(
            try await Set(self.store.facts(about: file, keys: [], tokens: []).scopes)
                == [AccessScope(content: Self.hash(1), access: .trusted), AccessScope(content: Self.hash(2))])
        try await self.share(file, ["/d/a"], isFolder: false)
        #expect(try await self.store.facts(about: file, keys: [], tokens: []).scopes.contains(AccessScope(content: file)))
        try await self.store.setAccess(.only([]), of: file)
        #expect(try await self.store.facts(about: file, keys: [], tokens: []).scopes == [AccessScope(content: file, access: .only([]))])
    }

    @Test("tokens are listed, revoked once, and forgotten when they are over; one that is not known can be revoked too")
    func tokens() async throws {
        let host = try KeyPair.generate()
        let token = try AccessToken(contents: [Self.hash(1), Self.hash(2)], holder: host.peerID, issuedMilliseconds: 1000, expiresMilliseconds: 5000, signedBy: host)
        try await self.store.add(IssuedToken(token, note: "for Ada"), nowMilliseconds: 1000)
        #expect(try await self.store.issuedTokens() == [IssuedToken(token, note: "for Ada")])
        #expect(try await self.store.facts(about: Self.hash(1), keys: [], tokens: [token.id]).revoked.isEmpty)
        #expect(try await self.store.revoke(token.id, expiresMilliseconds: 1))
        #expect(try await self.store.revoke(token.id, expiresMilliseconds: 1) == false)
        let unknown = AccessTokenID()
        #expect(try await self.store.revoke(unknown, expiresMilliseconds: 9000) == false)
        #expect(try await self.store.facts(about: Self.hash(1), keys: [], tokens: [token.id, unknown]).revoked == [token.id, unknown])
        let later = try AccessToken(contents: [], issuedMilliseconds: 6000, expiresMilliseconds: 8000, signedBy: host)
        try await self.store.add(IssuedToken(later), nowMilliseconds: 6000)
        #expect(Set(try await self.store.issuedTokens().map(\.id)) == [later.id, unknown])
    }

    @Test("named rings")
    func rings() async throws {
        let ring = try MemberRing([MemberKeyPair(KeyPair.generate()).publicKey])
        try await self.store.setRing(ring, name: "club")
        #expect(try await self.store.rings() == [NamedRing(name: "club", ring: ring)])
        #expect(try await self.store.ring(digest: ring.digest) == ring)
        try await self.store.setRing(nil, name: "club")
        #expect(try await self.store.rings().isEmpty)
    }

    @Test("what another process writes is seen at once, and changes the revision")
    func anotherProcess() async throws {
        let other = SQLiteAccessStore(database: try NodeDatabase(directory: self.directory.path))
        let key = try KeyPair.generate().publicKey
        let before = try await self.store.revision()
        try await other.trust(TrustedPeer(publicKey: key))
        #expect(try await self.store.facts(about: Self.hash(1), keys: [key], tokens: []).trusted == [key.peerID])
        let trusted = try await self.store.revision()
        #expect(trusted != before)
        try await other.setAccess(.trusted, of: Self.hash(1))
        #expect(try await self.store.revision() != trusted)
        #expect(try await self.store.access(of: Self.hash(1)) == .trusted)
    }

    @Test("a damaged record is an error, never a permission")
    func damaged() async throws {
        let ring = try MemberRing([MemberKeyPair(KeyPair.generate()).publicKey])
        try await self.store.setAccess(.members(of: ring), of: Self.hash(1))
        try await self.store.setAccess(.only([KeyPair.generate().peerID]), of: Self.hash(2))
        try await self.database.write { database in
            try database.execute(sql: "UPDATE access_list SET ring = x'0102' WHERE ring IS NOT NULL; UPDATE access_list_peer SET peer = x'00'")
        }
        for hash in [Self.hash(1), Self.hash(2)] {
            await #expect(throws: StorageError.self) { try await self.store.facts(about: hash, keys: [], tokens: []) }
        }
    }

    @Test("names and notes that are too long are refused")
    func limits() async throws {
        let key = try KeyPair.generate()
        let long = String(repeating: "x", count: 256)
        await #expect(throws: AccessError.self) { try await self.store.trust(TrustedPeer(publicKey: key.publicKey, name: long)) }
        #expect(try await self.store.trustedPeers().isEmpty)
    }
}
