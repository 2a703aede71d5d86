import DIGContent
import DIGStorage
import DIGTransfer
import Foundation
import GRDB
import Testing

@Suite("Stored transfers")
struct SQLiteTransferStoreTests {
    let directory: TemporaryDirectory
    let database: NodeDatabase
    let store: SQLiteTransferStore

    init() throws {
        self.directory = try TemporaryDirectory()
        self.database = try NodeDatabase(directory: self.directory.path)
        self.store = SQLiteTransferStore(database: self.database)
    }

    private func transfer(_ destination: String = "/d", held: Range<Int> = 0..<3, hashes: [UInt8]? = nil) throws -> SavedTransfer {
        let descriptor = try FileDescriptor(size: 1_000_000, root: SHA256Digest(hashing: [5]))
        var verified = ChunkBitmap(count: try ChunkLayout(fileSize: descriptor.size, layer: 2).chunkCount)
        verified.insert(held)
        return SavedTransfer(descriptor: descriptor, chunkLayer: 2, destination: destination, verified: verified, chunkHashes: hashes)
    }

    @Test("come back as they were saved, also after a restart")
    func roundTrip() async throws {
        let transfer = try self.transfer(hashes: Array(repeating: 7, count: 512))
        try await self.store.save(transfer)
        #expect(try await self.store.load(transfer.descriptor.contentHash, destination: "/d") == transfer)
        #expect(try await self.store.load(transfer.descriptor.contentHash, destination: "/e") == nil)
        try self.database.close()
        let again = SQLiteTransferStore(database: try NodeDatabase(directory: self.directory.path))
        #expect(try await again.load(transfer.descriptor.contentHash, destination: "/d") == transfer)
    }

    @Test("a checkpoint without hashes keeps those that are stored")
    func keepsHashes() async throws {
        let hashes: [UInt8] = Array(repeating: 7, count: 512)
        try await self.store.save(self.transfer(hashes: hashes))
        let later = try self.transfer(held: 0..<10)
        try await self.store.save(later)
        let loaded = try #require(try await self.store.load(later.descriptor.contentHash, destination: "/d"))
        #expect(loaded.chunkHashes == hashes)
        #expect(loaded.verified == later.verified)
    }

    @Test("are removed with their hashes, one destination at a time")
    func remove() async throws {
        let transfer = try self.transfer(hashes: [1])
        try await self.store.save(transfer)
        try await self.store.save(self.transfer("/e"))
        try await self.store.remove(transfer.descriptor.contentHash, destination: "/d")
        try await self.store.remove(transfer.descriptor.contentHash, destination: "/nothing")
        #expect(try await self.store.load(transfer.descriptor.contentHash, destination: "/d") == nil)
        #expect(try await self.store.transfers().map(\.destination) == ["/e"])
        try await self.store.save(self.transfer())
        #expect(try await self.store.load(transfer.descriptor.contentHash, destination: "/d")?.chunkHashes == nil)
    }

    @Test(
        "a record that contradicts itself is as good as none",
        arguments: ["verified = x''", "size = -1", "size = 999999", "root = zeroblob(32)", "chunk_layer = 0", "verified = x'ffffff'", "size = \(Int64.max)"])
    func contradiction(change: String) async throws {
        let transfer = try self.transfer()
        try await self.store.save(transfer)
        let raw = try DatabaseQueue(path: self.database.path)
        try await raw.write { try $0.execute(sql: "UPDATE transfer SET \(change)") }
        #expect(try await self.store.load(transfer.descriptor.contentHash, destination: "/d") == nil)
        #expect(try await self.store.transfers().isEmpty)
    }
}
