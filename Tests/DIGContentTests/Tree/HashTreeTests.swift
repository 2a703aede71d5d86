import DIGContent
import Testing

@Suite("Hash tree (BEP 52)")
struct HashTreeTests {
    /// Sizes with the pieces root that libtorrent 2.1.1 computes for the test content (`create_torrent`, v2 only).
    static let roots: [(Int, String)] = [
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (16383, "e08c7d58e58b9318263144a618d6f2b6f6825974decd9e6f9371567354b6f566"),
        (16384, "4348e3b98e8a327b34ced39c1da9e67cdb4cd5e48e4d7960607a3ae403d35f0c"),
        (16385, "9d7887c65d577a0237fb3c0998b87b3a62762d03796889a2caea01db914ccbb8"),
        (65536, "2d6b546231225a7132a38ab354f03e9132e4b9141da89f1784b71ab2fb34fae3"),
        (65537, "27e4ccf8e3d554bfce504235da1292c2c8beb24ba5b3e1cd62f41bd692517fbe"),
        (1_048_577, "c764e3ed4ebac5f61ce59e1c78b804a6b9c02350917800126926d903f8d3dc27"),
        (34_603_015, "047604359c8b5192fb8028b7b788f09abf5f865064bff375b3e38b35cd1f7d9a"),
    ]

    @Test("roots are the pieces roots of libtorrent, whatever the chunk size")
    func libtorrentRoots() throws {
        for (size, root) in Self.roots {
            let bytes = TestContent.bytes(size)
            for layer in size > 2_000_000 ? [2] : Array(ChunkLayout.layers) {
                #expect(try TreeLayer.of(bytes, chunkLayer: layer).root().hex == root, "size \(size), layer \(layer)")
            }
        }
    }

    @Test("the layer of 64 KiB chunks is libtorrent's piece layer")
    func libtorrentPieceLayer() throws {
        let layer = try TreeLayer.of(TestContent.bytes(1_048_577), chunkLayer: 2)
        #expect(layer.nodeCount == 17)
        #expect(SHA256Digest(hashing: layer.rawBytes).hex == "b88bc2e215cd9bbec4e192bad208834d3f658994f55dbbfdf504acdb37755ca8")
    }

    @Test("every layer agrees with the plainest implementation", arguments: [1, 16383, 16384, 16385, 65536, 70000, 200_000, 1_048_577])
    func reference(size: Int) throws {
        let bytes = TestContent.bytes(size)
        let reference = ReferenceTree(bytes)
        let leaves = try TreeLayer.of(bytes, chunkLayer: 0)
        #expect(leaves.geometry.height == reference.layers.count - 1)
        for (height, row) in reference.layers.enumerated() {
            let layer = try leaves.higher(height)
            #expect(layer.geometry.paddedNodeCount(atLayer: height) == row.count)
            #expect((0..<row.count).map { layer.node(at: $0) } == row)
            #expect(layer.node(at: row.count) == nil && layer.node(at: -1) == nil)
            #expect(layer.root() == reference.root)
            #expect(try TreeLayer(fileSize: UInt64(size), layer: height, rawBytes: layer.rawBytes) == layer)
            try layer.verify(against: FileDescriptor(size: UInt64(size), root: reference.root))
        }
        for layer in ChunkLayout.layers where layer <= leaves.geometry.height {
            #expect(try TreeLayer.of(bytes, chunkLayer: layer) == leaves.higher(layer))
        }
    }

    @Test("the empty file has no chunk and 32 zero bytes for a root")
    func empty() throws {
        let layer = try TreeLayer(fileSize: 0, layer: 0, rawBytes: [])
        #expect(layer.root() == .zero && layer.nodeCount == 0)
        #expect(try TreeLayer.of([], chunkLayer: 2) == layer)
        #expect(try layer.descriptor() == FileDescriptor(size: 0, root: .zero))
        #expect(TreeProver(layer).root == .zero)
    }

    @Test("raw layers with a byte more or less, or of a layer that does not exist, are refused")
    func rawBytes() throws {
        let layer = try TreeLayer.of(TestContent.bytes(200_000), chunkLayer: 2)
        for count in 0..<layer.rawBytes.count {
            #expect(throws: ContentError(.geometryMismatch, "")) { try TreeLayer(fileSize: 200_000, layer: 2, rawBytes: Array(layer.rawBytes.prefix(count))) }
        }
        #expect(throws: ContentError(.geometryMismatch, "")) { try TreeLayer(fileSize: 200_000, layer: 2, rawBytes: layer.rawBytes + [0]) }
        for number in [-1, 5, 64, 1000, .max, .min] {
            #expect(throws: ContentError(.geometryMismatch, "")) { try TreeLayer(fileSize: 200_000, layer: number, rawBytes: layer.rawBytes) }
            #expect(throws: ContentError(.geometryMismatch, "")) { try layer.higher(number) }
        }
        #expect(throws: ContentError(.fileTooLarge, "")) { try TreeLayer(fileSize: .max, layer: 0, rawBytes: []) }
    }

    @Test("a flipped bit anywhere in a stored layer is noticed")
    func flippedBits() throws {
        let layer = try TreeLayer.of(TestContent.bytes(200_000), chunkLayer: 2)
        let descriptor = try layer.descriptor()
        for position in layer.rawBytes.indices {
            var bytes = layer.rawBytes
            bytes[position] ^= 1 << (position % 8)
            let altered = try TreeLayer(fileSize: 200_000, layer: 2, rawBytes: bytes)
            #expect(throws: ContentError(.proofMismatch, "")) { try altered.verify(against: descriptor) }
        }
        let other = try FileDescriptor(size: 200_001, root: descriptor.root)
        #expect(throws: ContentError(.geometryMismatch, "")) { try layer.verify(against: other) }
    }
}
