import DIGAnnouncement
import DIGContent
import DIGIdentity
import DIGStorage
import DIGTransfer
import Foundation
import GRDB
import Testing

@Suite("Shared content")
struct SharedContentStoreTests {
    let directory: TemporaryDirectory
    let database: NodeDatabase
    let store: SharedContentStore

    init() throws {
        self.directory = try TemporaryDirectory()
        self.database = try NodeDatabase(directory: self.directory.path + "/data")
        self.store = SharedContentStore(database: self.database)
    }

    private func bytes(_ count: Int, _ seed: Int = 1) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: ($0 / 7) &* seed &+ $0) } }

    private func hash(_ path: String) async throws -> HashedFile { try await FileHasher(threadCount: 1).hash(fileAt: path) }

    /// Hashes, saves and shares a file.
    private func share(_ path: String, contentID: String? = nil, announceLevel: AnnounceLevel = .medium) async throws -> (share: Share, file: HashedFile) {
        let file = try await self.hash(path)
        try await self.store.save([(path, file)])
        let share = Share(
            contentHash: file.descriptor.contentHash, kind: .file, path: path, name: path.split(separator: "/").last.map(String.init) ?? "",
            contentID: contentID, announceLevel: announceLevel, byteCount: file.descriptor.size, added: Date(timeIntervalSince1970: 1_000))
        try await self.store.add(share, paths: [path])
        return (share, file)
    }

    @Test("a file comes back as it was saved", arguments: [0, 1, 65_536, 200_000])
    func roundTrip(size: Int) async throws {
        let path = try self.directory.file("a", self.bytes(size))
        let (share, file) = try await self.share(path, contentID: "my/file", announceLevel: .low)
        #expect(try await self.store.shares() == [share])
        #expect(try await self.store.share(share.contentHash) == share)
        #expect(try await self.store.shares(atPathOrContentID: path) == [share])
        #expect(try await self.store.shares(atPathOrContentID: "my/file") == [share])
        #expect(try await self.store.shares(atPathOrContentID: "other").isEmpty)
        let kept = try #require(try await self.store.hashedFile(at: path, stamp: file.stamp))
        #expect(kept.file == file)
        #expect(kept.sha256 == nil)

        guard case .file(let hosted)? = try await self.store.content(for: share.contentHash) else {
            Issue.record("not hosted")
            return
        }
        #expect(hosted.descriptor == file.descriptor)
        #expect(hosted.path == path)
        #expect(hosted.stamp == file.stamp)
        #expect(hosted.name == "a")
        #expect(hosted.chunkLayer == file.layout.layer)
        #expect(try hosted.hashes.storedLayer() == file.chunkLayer)
    }

    @Test("hashes are only reused for the file they were made of")
    func stamp() async throws {
        let path = try self.directory.file("a", self.bytes(100))
        let file = try await self.hash(path)
        try await self.store.save([(path, file)])
        var stamp = file.stamp
        stamp.modificationTimeNanoseconds += 1
        #expect(try await self.store.hashedFile(at: path, stamp: stamp) == nil)
        #expect(try await self.store.hashedFile(at: path + "x", stamp: file.stamp) == nil)
        #expect(try await self.store.hashedFile(at: path, stamp: file.stamp) != nil)
    }

    @Test("the plain SHA-256 follows, and goes when the file does")
    func sha256() async throws {
        let path = try self.directory.file("a", self.bytes(100))
        let file = try await self.hash(path)
        try await self.store.save([(path, file)])
        let sha256 = SHA256Digest(hashing: self.bytes(100))
        var other = file.stamp
        other.inode += 1
        try await self.store.setSHA256(sha256, forFileAt: path, stamp: other)
        #expect(try await self.store.file(at: path)?.sha256 == nil)
        try await self.store.setSHA256(sha256, forFileAt: path, stamp: file.stamp)
        #expect(try await self.store.file(at: path)?.sha256 == sha256)
        try await self.store.save([(path, file)])
        #expect(try await self.store.file(at: path)?.sha256 == sha256)
        _ = try self.directory.file("a", self.bytes(101))
        try await self.store.save([(path, self.hash(path))])
        #expect(try await self.store.file(at: path)?.sha256 == nil)
    }

    @Test("what was hashed but not shared is never served")
    func unshared() async throws {
        let path = try self.directory.file("a", self.bytes(100))
        let file = try await self.hash(path)
        try await self.store.save([(path, file)])
        #expect(try await self.store.content(for: file.descriptor.contentHash) == nil)
        try await self.store.removeUnused()
        #expect(try await self.store.file(at: path) == nil)
    }

    @Test("a folder is one share of many files, each a content of its own")
    func folder() async throws {
        var files: [(path: String, file: HashedFile)] = []
        var entries: [FolderListing.Entry] = []
        for (index, name) in ["one", "two", "three"].enumerated() {
            let path = try self.directory.file(name, self.bytes(1000 * index))
            let file = try await self.hash(path)
            files.append((path, file))
            entries.append(FolderListing.Entry(path: try SafePath(name), descriptor: file.descriptor))
        }
        let listing = try FolderListing(entries: entries)
        try await self.store.save(files)
        let share = Share(
            contentHash: listing.contentHash, kind: .folder, path: self.directory.path, name: "folder", byteCount: listing.totalByteCount,
            added: Date(timeIntervalSince1970: 2_000))
        try await self.store.add(share, paths: files.map(\.path), listing: listing.encoded)
        #expect(try await self.store.shares() == [share])
        #expect(try await self.store.files(of: share.contentHash).map(\.path) == files.map(\.path).sorted())
        guard case .folder(let hosted)? = try await self.store.content(for: share.contentHash) else {
            Issue.record("not hosted")
            return
        }
        #expect(hosted.listing == listing.encoded)
        for (_, file) in files { #expect(try await self.store.content(for: file.descriptor.contentHash) != nil) }

        // One of the files is also shared alone: it outlives the folder.
        let alone = try await self.share(files[1].path)
        #expect(try await self.store.remove(share.contentHash) == share)
        #expect(try await self.store.remove(share.contentHash) == nil)
        #expect(try await self.store.content(for: share.contentHash) == nil)
        #expect(try await self.store.content(for: files[2].file.descriptor.contentHash) == nil)
        #expect(try await self.store.content(for: alone.share.contentHash) != nil)
    }

    @Test("a share whose files were not saved is refused whole")
    func unknownFile() async throws {
        let hash = ContentHash(digest: SHA256Digest(hashing: [1]))
        let share = Share(contentHash: hash, kind: .file, path: "/x", name: "x", byteCount: 1, added: Date())
        await #expect(throws: StorageError(.failed, "")) { try await self.store.add(share, paths: ["/x"]) }
        #expect(try await self.store.shares().isEmpty)
    }

    @Test("of two copies the one that is unchanged is served; a changed file is forgotten")
    func copies() async throws {
        let first = try self.directory.file("a", self.bytes(100))
        let second = try self.directory.file("b", self.bytes(100))
        let (share, _) = try await self.share(first)
        _ = try await self.share(second)
        // Of another size: file systems tell times apart by milliseconds only.
        _ = try self.directory.file("a", self.bytes(101))
        await self.store.contentChanged(share.contentHash)
        guard case .file(let hosted)? = try await self.store.content(for: share.contentHash) else {
            Issue.record("not hosted")
            return
        }
        #expect(hosted.path == second)
        #expect(try await self.store.file(at: first) == nil)
        try FileManager.default.removeItem(atPath: second)
        await self.store.contentChanged(share.contentHash)
        #expect(try await self.store.content(for: share.contentHash) == nil)
        // The last copy stays, so that it can be said what became of it, until it is shared again or removed.
        #expect(try await self.store.shares().map(\.path) == [second])
        #expect(try await self.store.files(of: share.contentHash).map(\.isForgotten) == [true])
        _ = try self.directory.file("b", self.bytes(102))
        _ = try await self.share(second)
        #expect(try await self.store.share(share.contentHash) == nil)
        #expect(try await self.store.shares().count == 1)
    }

    @Test("a file of a folder that has changed is marked, and not served")
    func changedInFolder() async throws {
        let path = try self.directory.file("a", self.bytes(100))
        let file = try await self.hash(path)
        try await self.store.save([(path, file)])
        let listing = try FolderListing(entries: [.init(path: SafePath("a"), descriptor: file.descriptor)])
        let folder = Share(contentHash: listing.contentHash, kind: .folder, path: "/folder", name: "f", byteCount: 100, added: Date())
        try await self.store.add(folder, paths: [path], listing: listing.encoded)
        #expect(try await self.store.files(of: listing.contentHash).map(\.isForgotten) == [false])
        try FileManager.default.removeItem(atPath: path)
        await self.store.contentChanged(file.descriptor.contentHash)
        #expect(try await self.store.content(for: file.descriptor.contentHash) == nil)
        #expect(try await self.store.files(of: listing.contentHash).map(\.isForgotten) == [true])
        try await self.store.remove(listing.contentHash)
        #expect(try await self.store.file(at: path) == nil)
    }

    @Test("what others are not told of stays so")
    func unannounced() async throws {
        let path = try self.directory.file("a", self.bytes(100))
        var (share, _) = try await self.share(path)
        share.announceLevel = nil
        try await self.store.add(share, paths: [path])
        #expect(try await self.store.shares().map(\.announceLevel) == [nil])
        let raw = try DatabaseQueue(path: self.database.path)
        try await raw.write { try $0.execute(sql: "UPDATE share SET announce_level = 'of a later version'") }
        #expect(try await self.store.shares().map(\.announceLevel) == [.medium])
    }

    @Test("a file that is gone is forgotten also if whoever asked for it has gone before that")
    func cancelled() async throws {
        let path = try self.directory.file("a", self.bytes(100))
        let hash = try await self.share(path).share.contentHash
        try FileManager.default.removeItem(atPath: path)
        let asked = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            await self.store.contentChanged(hash)
        }
        await asked.value
        #expect(try await self.store.content(for: hash) == nil)
        #expect(try await self.store.files(of: hash).map(\.isForgotten) == [true])
    }

    @Test("a path that is shared again with another content replaces what it was")
    func replaced() async throws {
        let path = try self.directory.file("a", self.bytes(100))
        let copy = try self.directory.file("b", self.bytes(100))
        let old = try await self.share(copy).share
        _ = try await self.share(path)
        #expect(try await self.store.shares().map(\.path) == [path])
        #expect(try await self.store.files(of: old.contentHash).map(\.path) == [path, copy])
        _ = try self.directory.file("a", self.bytes(200))
        let new = try await self.share(path).share
        #expect(Set(try await self.store.shares().map { "\($0.contentHash) \($0.path)" }) == ["\(new.contentHash) \(path)", "\(old.contentHash) \(copy)"])
        _ = try self.directory.file("b", self.bytes(300))
        _ = try await self.share(copy)
        #expect(try await self.store.share(old.contentHash) == nil)

        // A folder whose content changed: one share, the newer.
        for seed in 1...2 {
            let listing = try FolderListing(entries: [.init(path: SafePath("x\(seed)"), descriptor: FileDescriptor(size: 0, root: .zero))])
            let folder = Share(contentHash: listing.contentHash, kind: .folder, path: "/folder", name: "f", byteCount: 0, added: Date())
            try await self.store.add(folder, paths: [], listing: listing.encoded)
        }
        #expect(try await self.store.shares().filter { $0.kind == .folder }.count == 1)
    }

    @Test("hashes that were tampered with are not served")
    func tampered() async throws {
        let path = try self.directory.file("a", self.bytes(200_000))
        let (share, _) = try await self.share(path)
        let raw = try DatabaseQueue(path: self.database.path)
        try await raw.write { try $0.execute(sql: "UPDATE layer SET hashes = zeroblob(length(hashes))") }
        guard case .file(let hosted)? = try await self.store.content(for: share.contentHash) else {
            Issue.record("not hosted")
            return
        }
        #expect(throws: StorageError(.malformedRecord, "")) { try hosted.hashes.storedLayer() }
        try await raw.write { try $0.execute(sql: "UPDATE layer SET hashes = x'00'") }
        #expect(throws: StorageError(.malformedRecord, "")) { try hosted.hashes.storedLayer() }
        try await raw.write { try $0.execute(sql: "DELETE FROM layer") }
        #expect(throws: StorageError(.malformedRecord, "")) { try hosted.hashes.storedLayer() }
        try await raw.write { try $0.execute(sql: "UPDATE file SET size = -1") }
        await #expect(throws: StorageError(.malformedRecord, "")) { try await self.store.content(for: share.contentHash) }
    }

    @Test("bindings are found by name, by SHA-256 and by content; a signer's newer one replaces the older")
    func bindings() async throws {
        let path = try self.directory.file("a", self.bytes(100))
        let (share, _) = try await self.share(path)
        let key = try KeyPair.generate()
        let other = try KeyPair.generate()
        let sha256 = SHA256Digest(hashing: [9])
        func save(_ bindingKey: BindingKey, _ hash: ContentHash, _ time: UInt64, _ keyPair: KeyPair) async throws -> SignedEnvelope {
            let envelope = try NameBinding.sign(bindingKey, as: hash, timestampMilliseconds: time, with: keyPair)
            try await self.store.save(envelope, for: NameBinding(verifying: envelope, nowMilliseconds: time))
            return envelope
        }
        let elsewhere = ContentHash(digest: SHA256Digest(hashing: [7]))
        _ = try await save(.name("n"), elsewhere, 1, key)
        let second = try await save(.name("n"), share.contentHash, 2, key)
        let third = try await save(.name("n"), share.contentHash, 3, other)
        let fourth = try await save(.sha256(sha256), share.contentHash, 4, key)
        #expect(await self.store.bindings(for: .name("n")) == [third, second])
        #expect(await self.store.bindings(for: .sha256(sha256)) == [fourth])
        #expect(await self.store.bindings(for: .name("m")).isEmpty)
        #expect(try await self.store.bindings(of: share.contentHash) == [fourth, third, second])
        #expect(try await self.store.storedBindings(for: .name("n"), limit: 1) == [third])
        try await self.store.remove(share.contentHash)
        #expect(await self.store.bindings(for: .name("n")).isEmpty)
    }
}
