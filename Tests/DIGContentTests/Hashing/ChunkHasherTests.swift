import DIGContent
import DIGTestSupport
import Testing

@Suite("Chunk hasher")
struct ChunkHasherTests {
    @Test("chunks in any order, from any place, have the hashes of the tree, and scratch memory is reused", arguments: [1, 16384, 70000, 1_048_577, 2_500_000])
    func anyOrder(size: Int) throws {
        let bytes = TestContent.bytes(size)
        var hasher = ChunkHasher()
        for layer in ChunkLayout.layers {
            let layout = try ChunkLayout(fileSize: UInt64(size), layer: layer)
            let expected = try TreeLayer.of(bytes, chunkLayer: layer)
            var random = SeededGenerator(seed: UInt64(size + layer))
            let order = layout.chunks.shuffled(using: &random)
            try bytes.withUnsafeBytes { bytes in
                let chunks = try order.map { chunk in
                    let range = try #require(layout.byteRange(of: chunk))
                    return UnsafeRawBufferPointer(rebasing: bytes[Int(range.lowerBound)..<Int(range.upperBound)])
                }
                #expect(try hasher.hash(chunks, layout: layout) == order.map { expected.node(at: Int($0.rawValue)) })
                var digests = [SHA256Digest](repeating: .zero, count: chunks.count)
                try chunks.withUnsafeBufferPointer { chunks in
                    try digests.withUnsafeMutableBufferPointer { try hasher.hash(chunks, layout: layout, into: $0) }
                }
                #expect(digests == order.map { expected.node(at: Int($0.rawValue)) })
            }
        }
    }

    @Test("more blocks than scratch memory holds are hashed in groups")
    func groups() throws {
        let bytes = TestContent.bytes(1030 * 16384 + 5)
        let leaves = try TreeLayer.of(bytes, chunkLayer: 0)
        #expect(leaves.nodeCount == 1031)
        #expect(leaves.node(at: 1029) == TestContent.sha256(bytes[1029 * 16384..<1030 * 16384]))
        #expect(leaves.node(at: 1030) == TestContent.sha256(bytes[(1030 * 16384)...]))
    }

    @Test("empty chunks, chunks that are too long and wrong counts are refused")
    func refusals() throws {
        let layout = try ChunkLayout(fileSize: 200_000)
        var hasher = ChunkHasher()
        let bytes = TestContent.bytes(65537)
        #expect(try hasher.hash([], layout: layout) == [])
        bytes.withUnsafeBytes { bytes in
            #expect(contentErrorCode { _ = try hasher.hash([bytes], layout: layout) } == .geometryMismatch)
            #expect(contentErrorCode { _ = try hasher.hash([UnsafeRawBufferPointer(start: nil, count: 0)], layout: layout) } == .geometryMismatch)
            var digests = [SHA256Digest](repeating: .zero, count: 1)
            let code = digests.withUnsafeMutableBufferPointer { digests in
                contentErrorCode { try hasher.hash(consecutive: bytes, layout: layout, into: digests) }
            }
            #expect(code == .geometryMismatch)
        }
    }
}
