import DIGContent
import Testing

@Suite("Hash segments")
struct HashSegmentTests {
    @Test("every run of every layer proves itself", arguments: [1, 16385, 65537, 200_000, 1_048_577])
    func everyRange(size: Int) throws {
        let leaves = try TreeLayer.of(TestContent.bytes(size), chunkLayer: 0)
        let descriptor = try leaves.descriptor()
        let prover = TreeProver(leaves)
        for layer in 0...leaves.geometry.height {
            let row = try leaves.higher(layer)
            var count = 1
            while count <= leaves.geometry.paddedNodeCount(atLayer: layer) {
                for index in stride(from: 0, to: leaves.geometry.paddedNodeCount(atLayer: layer), by: count) {
                    let segment = try prover.segment(layer: layer, index: index, count: count)
                    try segment.verify(against: descriptor)
                    #expect((0..<count).map { segment.hash(at: $0) } == (0..<count).map { row.node(at: index + $0) })
                    #expect(segment.uncles.count == leaves.geometry.height - layer - count.trailingZeroBitCount)
                    if index == 0 { #expect(try row.segment(index: index, count: count) == segment) }
                }
                count *= 2
            }
        }
    }

    @Test("fewer proof layers give fewer uncles, those inside the run none")
    func proofLayers() throws {
        let layer = try TreeLayer.of(TestContent.bytes(1_048_577), chunkLayer: 0)
        #expect(layer.geometry.height == 7)
        for (proofLayers, uncles) in [(0, 0), (1, 0), (2, 0), (3, 1), (4, 2), (7, 5)] {
            #expect(try layer.segment(index: 8, count: 4, proofLayers: proofLayers).uncles.count == uncles)
        }
        #expect(throws: ContentError(.geometryMismatch, "")) { try layer.segment(index: 8, count: 4, proofLayers: 8) }
        #expect(throws: ContentError(.geometryMismatch, "")) { try layer.segment(index: 8, count: 4, proofLayers: -1) }
    }

    @Test("a request that does not fit the tree is refused before anything is allocated")
    func hostileRequests() throws {
        let layer = try TreeLayer.of(TestContent.bytes(1_048_577), chunkLayer: 2)
        let prover = TreeProver(layer)
        let numbers = [-1, 1, 3, 5, 31, 33, 64, 4096, 8192, 1 << 40, .max, .min]
        for count in [-1, 0, 3, 5, 64, 4096, 8192, 1 << 40, Int.max, Int.min] {
            #expect(throws: ContentError(.geometryMismatch, "")) { try prover.segment(layer: 2, index: 0, count: count) }
        }
        for index in numbers { #expect(throws: ContentError(.geometryMismatch, "")) { try prover.segment(layer: 2, index: index, count: 4) } }
        for number in [-1, 0, 1, 8, 100, Int.max, Int.min] {
            #expect(throws: ContentError(.geometryMismatch, "")) { try prover.segment(layer: number, index: 0, count: 1) }
        }
    }

    @Test("answers with a wrong shape are refused: layer, index, count, lengths")
    func hostileAnswers() throws {
        let layer = try TreeLayer.of(TestContent.bytes(1_048_577), chunkLayer: 2)
        let descriptor = try layer.descriptor()
        let good = try layer.segment(index: 4, count: 4)
        func check(_ layer: Int? = nil, index: Int? = nil, count: Int? = nil, hashes: [UInt8]? = nil, uncles: [SHA256Digest]? = nil) {
            let segment = HashSegment(
                layer: layer ?? good.layer, index: index ?? good.index, count: count ?? good.count, hashes: hashes ?? good.hashes, uncles: uncles ?? good.uncles)
            #expect(throws: ContentError(.geometryMismatch, "")) { try segment.verify(against: descriptor) }
        }
        for number in [-1, 1, 3, 8, 64, 255, .max, .min] { check(number) }
        for number in [-4, 1, 2, 5, 32, .max, .min] { check(index: number) }
        for number in [-1, 0, 1, 2, 3, 8, 64, .max, .min] { check(count: number) }
        for length in 0..<good.hashes.count { check(hashes: Array(good.hashes.prefix(length))) }
        check(hashes: good.hashes + [0])
        for length in 0..<good.uncles.count { check(uncles: Array(good.uncles.prefix(length))) }
        check(uncles: good.uncles + [.zero])
        let empty = try FileDescriptor(size: 0, root: .zero)
        #expect(throws: ContentError(.geometryMismatch, "")) {
            try HashSegment(layer: 0, index: 0, count: 1, hashes: [UInt8](repeating: 0, count: 32), uncles: []).verify(against: empty)
        }
        #expect(HashSegment(layer: 0, index: 0, count: .max, hashes: [], uncles: []).hash(at: 0) == nil)
    }

    @Test("a flipped bit in any hash or uncle, or the run of another place, is noticed")
    func flippedBits() throws {
        let layer = try TreeLayer.of(TestContent.bytes(1_048_577), chunkLayer: 2)
        let descriptor = try layer.descriptor()
        let good = try layer.segment(index: 4, count: 4)
        for position in good.hashes.indices {
            var hashes = good.hashes
            hashes[position] ^= 1 << (position % 8)
            let bad = HashSegment(layer: 2, index: 4, count: 4, hashes: hashes, uncles: good.uncles)
            #expect(throws: ContentError(.proofMismatch, "")) { try bad.verify(against: descriptor) }
        }
        for (number, uncle) in good.uncles.enumerated() {
            for position in 0..<32 {
                var bytes = uncle.bytes
                bytes[position] ^= 0x80 >> (position % 8)
                var uncles = good.uncles
                uncles[number] = SHA256Digest(bytes: bytes) ?? .zero
                let bad = HashSegment(layer: 2, index: 4, count: 4, hashes: good.hashes, uncles: uncles)
                #expect(throws: ContentError(.proofMismatch, "")) { try bad.verify(against: descriptor) }
            }
        }
        for index in [0, 8, 12, 16, 28] {
            let moved = HashSegment(layer: 2, index: index, count: 4, hashes: good.hashes, uncles: good.uncles)
            #expect(throws: ContentError(.proofMismatch, "")) { try moved.verify(against: descriptor) }
        }
    }

    @Test("a layer is put together from proven segments in any order")
    func assembly() throws {
        for (size, segmentCount) in [(1_048_577, 4), (1_048_577, 1), (1_048_577, 1024), (16384, 1024), (200_000, 2)] {
            let layer = try TreeLayer.of(TestContent.bytes(size), chunkLayer: 2)
            var assembly = try TreeLayerAssembly(descriptor: layer.descriptor(), layer: layer.layer, segmentCount: segmentCount)
            for index in assembly.missingIndices.reversed() {
                #expect(!assembly.isComplete && assembly.finished() == nil && assembly.node(at: index) == nil)
                #expect(assembly.segmentIndex(forNode: index) == index)
                try assembly.insert(layer.segment(index: index, count: assembly.segmentCount))
                #expect(assembly.node(at: index) == layer.node(at: index))
            }
            #expect(assembly.isComplete && assembly.missingIndices.isEmpty && assembly.finished() == layer)
            #expect(assembly.node(at: layer.nodeCount) == nil && assembly.node(at: -1) == nil)
        }
    }

    @Test("an assembly keeps nothing that it did not ask for or that is not proven")
    func assemblyRefusals() throws {
        let layer = try TreeLayer.of(TestContent.bytes(1_048_577), chunkLayer: 2)
        var assembly = try TreeLayerAssembly(descriptor: layer.descriptor(), layer: 2, segmentCount: 4)
        #expect(assembly.missingIndices == [0, 4, 8, 12, 16])
        #expect(throws: ContentError(.geometryMismatch, "")) { try assembly.insert(layer.segment(index: 0, count: 8)) }
        #expect(throws: ContentError(.geometryMismatch, "")) { try assembly.insert(layer.segment(index: 20, count: 4)) }
        #expect(throws: ContentError(.geometryMismatch, "")) { try assembly.insert(layer.higher(3).segment(index: 0, count: 4)) }
        let good = try layer.segment(index: 0, count: 4)
        let bad = HashSegment(layer: 2, index: 0, count: 4, hashes: [UInt8](repeating: 0, count: 128), uncles: good.uncles)
        #expect(throws: ContentError(.proofMismatch, "")) { try assembly.insert(bad) }
        #expect(assembly.missingIndices.count == 5)
        let descriptor = try layer.descriptor()
        for (number, count) in [(2, 3), (-1, 4), (8, 4), (Int.max, 4)] {
            #expect(throws: ContentError(.geometryMismatch, "")) { try TreeLayerAssembly(descriptor: descriptor, layer: number, segmentCount: count) }
        }
    }
}
