import DIGContent
import Testing

@Suite("Block proofs")
struct BlockProofTests {
    private func proof(_ block: Int, of bytes: [UInt8], _ prover: TreeProver) throws -> BlockProof {
        let range = try BlockProof.requiredBytes(block: block, geometry: prover.geometry, lowestLayer: prover.lowestLayer)
        return try Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)]).withUnsafeBytes { try BlockProof(block: block, bytes: $0, prover: prover) }
    }

    @Test("every block of a file can be proven from any stored layer", arguments: [1, 16385, 65536, 65537, 300_000, 1_048_577])
    func everyBlock(size: Int) throws {
        let bytes = TestContent.bytes(size)
        for chunkLayer in [0, 2, 6] {
            let layer = try TreeLayer.of(bytes, chunkLayer: chunkLayer)
            let descriptor = try layer.descriptor()
            for block in 0..<layer.geometry.blockCount {
                let proof = try self.proof(block, of: bytes, TreeProver(layer))
                #expect(proof.bytes == Array(bytes[block * 16384..<min(size, block * 16384 + 16384)]))
                try proof.verify(against: descriptor)
            }
        }
    }

    @Test("a flipped bit, a cut block, a missing uncle or another position is noticed")
    func tampering() throws {
        let bytes = TestContent.bytes(300_000)
        let layer = try TreeLayer.of(bytes, chunkLayer: 2)
        let descriptor = try layer.descriptor()
        let good = try self.proof(18, of: bytes, TreeProver(layer))
        #expect(good.bytes.count == 300_000 - 18 * 16384 && good.uncles.count == 5)
        for position in stride(from: 0, to: good.bytes.count, by: 97) {
            var altered = good.bytes
            altered[position] ^= 1 << (position % 8)
            #expect(throws: ContentError(.proofMismatch, "")) { try BlockProof(block: 18, bytes: altered, uncles: good.uncles).verify(against: descriptor) }
        }
        for number in good.uncles.indices {
            var uncles = good.uncles
            uncles[number] = SHA256Digest(hashing: [9])
            #expect(throws: ContentError(.proofMismatch, "")) { try BlockProof(block: 18, bytes: good.bytes, uncles: uncles).verify(against: descriptor) }
        }
        for count in 0..<good.uncles.count {
            #expect(throws: ContentError(.geometryMismatch, "")) {
                try BlockProof(block: 18, bytes: good.bytes, uncles: Array(good.uncles.prefix(count))).verify(against: descriptor)
            }
        }
        for count in [0, 1, good.bytes.count - 1] {
            #expect(throws: ContentError(.geometryMismatch, "")) {
                try BlockProof(block: 18, bytes: Array(good.bytes.prefix(count)), uncles: good.uncles).verify(against: descriptor)
            }
        }
        for block in [-1, 0, 17, 19, .max, .min] {
            #expect(throws: ContentError(.geometryMismatch, "")) { try BlockProof(block: block, bytes: good.bytes, uncles: good.uncles).verify(against: descriptor) }
        }
        let first = try self.proof(1, of: bytes, TreeProver(layer))
        #expect(throws: ContentError(.proofMismatch, "")) { try BlockProof(block: 2, bytes: first.bytes, uncles: first.uncles).verify(against: descriptor) }
    }

    @Test("no proof is made from bytes that are not those hashed, from a wrong count, or for a block that does not exist")
    func refusals() throws {
        let bytes = TestContent.bytes(300_000)
        let prover = TreeProver(try TreeLayer.of(bytes, chunkLayer: 2))
        var changed = bytes
        changed[65536] ^= 1
        #expect(throws: ContentError(.proofMismatch, "")) { try self.proof(4, of: changed, prover) }
        #expect(throws: ContentError(.geometryMismatch, "")) { try bytes.withUnsafeBytes { try BlockProof(block: 4, bytes: $0, prover: prover) } }
        for block in [-1, 19, .max, .min] {
            #expect(throws: ContentError(.geometryMismatch, "")) { try BlockProof.requiredBytes(block: block, geometry: prover.geometry, lowestLayer: 2) }
        }
        for layer in [-1, 6, .max, .min] {
            #expect(throws: ContentError(.geometryMismatch, "")) { try BlockProof.requiredBytes(block: 0, geometry: prover.geometry, lowestLayer: layer) }
        }
    }

    @Test("a proof is read from the shared file, and refused when the file changed")
    func fromFile() throws {
        let folder = try TemporaryFolder()
        let bytes = TestContent.bytes(300_000)
        let path = try folder.write(bytes)
        let layer = try TreeLayer.of(bytes, chunkLayer: 2)
        let stamp = try FileStamp(ofFileAt: path)
        let proof = try BlockProof(block: 7, fileAt: path, stamp: stamp, prover: TreeProver(layer))
        try proof.verify(against: layer.descriptor())
        _ = try folder.write(TestContent.bytes(300_001))
        #expect(throws: ContentError(.fileChanged, "")) { try BlockProof(block: 7, fileAt: path, stamp: stamp, prover: TreeProver(layer)) }
    }
}
