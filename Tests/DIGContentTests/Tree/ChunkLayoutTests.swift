import DIGContent
import Testing

@Suite("Chunk layout")
struct ChunkLayoutTests {
    @Test("the default is 64 KiB, and the smallest that keeps the count of chunks at or below 2¹⁸ above 16 GiB")
    func defaults() throws {
        let gibibyte: UInt64 = 1 << 30
        let expected: [(UInt64, Int)] = [
            (0, 2), (1, 2), (16 * gibibyte, 2), (16 * gibibyte + 1, 3), (32 * gibibyte, 3), (32 * gibibyte + 1, 4), (64 * gibibyte, 4),
            (128 * gibibyte, 5), (256 * gibibyte, 6), (512 * gibibyte, 6), (1024 * gibibyte, 6),
        ]
        for (size, layer) in expected { #expect(try ChunkLayout(fileSize: size).layer == layer, "size \(size)") }
        #expect(try ChunkLayout(fileSize: 1024 * gibibyte).chunkCount == 1 << 20)
        #expect(throws: ContentError(.fileTooLarge, "")) { try ChunkLayout(fileSize: 1024 * gibibyte + 1) }
        #expect(throws: ContentError(.fileTooLarge, "")) { try ChunkLayout(fileSize: .max, layer: 0) }
        for layer in [-1, 7, .max, .min] { #expect(throws: ContentError(.geometryMismatch, "")) { try ChunkLayout(fileSize: 1, layer: layer) } }
    }

    @Test("chunks cover the file without gap or overlap", arguments: [0, 1, 16383, 16384, 16385, 65536, 65537, 1_048_577] as [UInt64])
    func cover(size: UInt64) throws {
        for layer in ChunkLayout.layers {
            let layout = try ChunkLayout(fileSize: size, layer: layer)
            var end: UInt64 = 0
            for chunk in layout.chunks {
                let range = try #require(layout.byteRange(of: chunk))
                #expect(range.lowerBound == end && !range.isEmpty)
                #expect(layout.byteCount(of: chunk) == range.count)
                #expect(layout.blockCount(of: chunk) == (range.count + 16383) / 16384)
                #expect(layout.chunk(containing: range.lowerBound) == chunk && layout.chunk(containing: range.upperBound - 1) == chunk)
                end = range.upperBound
            }
            #expect(end == size)
            #expect(layout.byteRange(of: layout.chunks) == 0..<size)
            let after = ChunkIndex(UInt32(layout.chunkCount))
            #expect(layout.byteRange(of: after) == nil && layout.byteCount(of: after) == nil && layout.blockCount(of: after) == nil)
            #expect(layout.byteRange(of: after..<ChunkIndex(after.rawValue + 1)) == nil)
            #expect(layout.byteRange(of: ChunkIndex(.max)) == nil)
            #expect(layout.chunk(containing: size) == nil)
            #expect(layout.geometry.nodeCount(atLayer: layout.treeLayer) == layout.chunkCount)
        }
    }

    @Test("a file of one chunk is hashed at the height of its own tree")
    func oneChunk() throws {
        for (size, height) in [(1, 0), (16384, 0), (16385, 1), (40000, 2), (65536, 2)] as [(UInt64, Int)] {
            let layout = try ChunkLayout(fileSize: size, layer: 6)
            #expect(layout.chunkCount == 1 && layout.treeLayer == height && layout.leavesPerChunk == 1 << height)
        }
    }

    @Test("a range of bytes is covered by the chunks that hold it, clipped to the file")
    func covering() throws {
        let layout = try ChunkLayout(fileSize: 200_000)
        #expect(layout.chunks(covering: 0..<1) == ChunkIndex(0)..<ChunkIndex(1))
        #expect(layout.chunks(covering: 65535..<65537) == ChunkIndex(0)..<ChunkIndex(2))
        #expect(layout.chunks(covering: 65536..<131072) == ChunkIndex(1)..<ChunkIndex(2))
        #expect(layout.chunks(covering: 199_999..<(.max)) == ChunkIndex(3)..<ChunkIndex(4))
        #expect(layout.chunks(covering: 200_000..<300_000).isEmpty && layout.chunks(covering: 5..<5).isEmpty)
    }
}
