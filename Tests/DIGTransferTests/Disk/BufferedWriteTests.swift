import DIGContent
import NIOPosix
import Synchronization
import Testing

@testable import DIGTransfer

@Suite("buffered writes")
struct BufferedWriteTests {
    /// A slab with `chunks` of `file`.
    func slab(_ file: SharedFile, _ chunks: Range<Int>, corrupt: Set<Int> = []) throws -> ChunkSlab {
        let slab = ChunkSlab()
        for index in chunks {
            let expected = try #require(file.layer.node(at: index))
            slab.begin(index, expected: corrupt.contains(index) ? .zero : expected)
            Array(file.chunk(index)).withUnsafeBytes { slab.append($0) }
            slab.end()
        }
        return slab
    }

    @Test("neighbouring chunks reach the disk in one write; a corrupt one between them makes it two")
    func slabs() throws {
        let file = try SharedFile(byteCount: 64 * 16_384 - 5, chunkLayer: 0)
        let layout = try ChunkLayout(fileSize: file.descriptor.size, layer: 0)
        let directory = try ScratchDirectory()
        let part = try PartFile(
            in: try DownloadDirectory(try DownloadDestination(directory: directory.path, name: "copy")), name: "copy", contentHash: file.descriptor.contentHash, size: file.descriptor.size)
        #expect(try self.slab(file, 0..<64).proveAndWrite(to: part, layout: layout) == [])
        #expect(part.writeCount == 1)
        #expect(try self.slab(file, 3..<20, corrupt: [7]).proveAndWrite(to: part, layout: layout) == [7])
        #expect(part.writeCount == 3)
        #expect(try self.slab(file, 3..<5, corrupt: [3, 4]).proveAndWrite(to: part, layout: layout) == [3, 4])
        #expect(part.writeCount == 3)
    }

    /// Counts the checkpoints.
    final class CountingStore: TransferStore {
        let saveCount = Atomic(0)

        func load(_ contentHash: ContentHash, destination: String) async throws -> SavedTransfer? { nil }
        func save(_ transfer: SavedTransfer) async throws { self.saveCount.add(1, ordering: .relaxed) }
        func remove(_ contentHash: ContentHash, destination: String) async throws {}
    }

    @Test("a download writes many chunks at once, and a checkpoint for each so many bytes at most (PRF-09)")
    func download() async throws {
        let chunkCount = 2048
        let file = try SharedFile(byteCount: chunkCount * 16_384)
        let directory = try ScratchDirectory()
        let provider = TestProvider()
        try provider.add(file)
        let store = CountingStore()
        let download = try FileDownload.test(file.descriptor.contentHash, in: directory, store: store) {
            $0.chunkByteCount = 16_384
            $0.checkpointByteCount = 4 << 20
            $0.checkpointInterval = .seconds(1000)
        }
        download.add(try await LoopbackConnection.toHost(provider))
        _ = try await download.run()
        let writeCount = try await download.diskWriteCount
        #expect(writeCount >= 32)
        #expect(writeCount <= chunkCount / 8, "\(writeCount) writes for \(chunkCount) chunks")
        #expect(store.saveCount.load(ordering: .relaxed) <= 8)
    }
}
