import DIGContent
import Testing

@testable import DIGTransfer

@Suite("saved transfer")
struct SavedTransferTests {
    /// 10 blocks, the last one short.
    func saved(layer: Int, chunks: [Range<Int>], hashes: [UInt8]? = nil) throws -> SavedTransfer {
        let descriptor = try FileDescriptor(size: 9 * 16_384 + 5, root: .zero)
        var verified = ChunkBitmap(count: try ChunkLayout(fileSize: descriptor.size, layer: layer).chunkCount)
        for run in chunks { verified.insert(run) }
        return SavedTransfer(descriptor: descriptor, chunkLayer: layer, destination: "/x", verified: verified, chunkHashes: hashes)
    }

    @Test("a chunk of another size counts if every byte of it was verified")
    func bitmap() throws {
        let larger = try #require(self.saved(layer: 0, chunks: [1..<5, 6..<10]).converted(toChunkLayer: 1))
        #expect(larger.verified.ranges == [1..<2, 3..<5])
        let largest = try #require(self.saved(layer: 0, chunks: [0..<9]).converted(toChunkLayer: 6))
        #expect(largest.verified.isEmpty)
        let whole = try #require(self.saved(layer: 0, chunks: [0..<10]).converted(toChunkLayer: 6))
        #expect(whole.verified.isComplete && whole.verified.count == 1)
        let smaller = try #require(self.saved(layer: 2, chunks: [1..<3]).converted(toChunkLayer: 0))
        #expect(smaller.verified.ranges == [4..<10])
        #expect(smaller.chunkLayer == 0)
    }

    @Test("hashes of larger chunks follow, of smaller ones do not; what contradicts itself is nothing")
    func hashes() throws {
        let file = try SharedFile(byteCount: 9 * 16_384 + 5, chunkLayer: 0)
        let saved = SavedTransfer(
            descriptor: file.descriptor, chunkLayer: 0, destination: "/x", verified: ChunkBitmap(count: 10), chunkHashes: file.layer.rawBytes)
        let higher = try #require(saved.converted(toChunkLayer: 2))
        #expect(try higher.chunkHashes == file.layer.higher(2).rawBytes)
        #expect(higher.converted(toChunkLayer: 0)?.chunkHashes == nil)
        #expect(saved.converted(toChunkLayer: 7) == nil)
        var wrong = saved
        wrong.chunkLayer = 3
        #expect(wrong.converted(toChunkLayer: 1) == nil)
    }
}
