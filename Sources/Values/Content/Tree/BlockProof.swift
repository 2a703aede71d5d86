/// One 16 KiB block of a file with the path that proves it: what a holder answers to show that it has the bytes.
public struct BlockProof: Hashable, Sendable {
    /// The position of the block in the file, from 0.
    public let block: Int
    /// 16 KiB, or less in the last block.
    public let bytes: [UInt8]
    /// The siblings from the leaf to the root, lowest first.
    public let uncles: [SHA256Digest]

    /// Takes what a peer sent; nothing is checked before ``verify(against:)``.
    public init(block: Int, bytes: [UInt8], uncles: [SHA256Digest]) {
        self.block = block
        self.bytes = bytes
        self.uncles = uncles
    }

    /// The bytes of the file that are needed to prove `block` with hashes stored from `lowestLayer` up: all below the same stored node.
    ///
    /// - Throws: ``ContentError`` with `.geometryMismatch` if the file has no such block or layer.
    public static func requiredBytes(block: Int, geometry: TreeGeometry, lowestLayer: Int) throws(ContentError) -> Range<UInt64> {
        guard block >= 0, block < geometry.blockCount else {
            throw ContentError(.geometryMismatch, "the file has \(geometry.blockCount) blocks, there is no block \(block)")
        }
        guard lowestLayer >= 0, lowestLayer <= geometry.height else {
            throw ContentError(.geometryMismatch, "the tree has layers 0 to \(geometry.height), not \(lowestLayer)")
        }
        let start = UInt64((block >> lowestLayer) << lowestLayer) * UInt64(TreeGeometry.blockByteCount)
        return start..<min(start + (UInt64(TreeGeometry.blockByteCount) << UInt64(lowestLayer)), geometry.fileSize)
    }

    /// Makes a proof from the stored layers and the bytes of ``requiredBytes(block:geometry:lowestLayer:)``.
    ///
    /// - Throws: ``ContentError`` with `.geometryMismatch` if there is no such block or the count of bytes is wrong, and `.proofMismatch`
    ///   if the bytes are not those that were hashed: the file has changed and must not be served.
    public init(block: Int, bytes: UnsafeRawBufferPointer, prover: TreeProver) throws(ContentError) {
        let layer = prover.lowestLayer
        let range = try Self.requiredBytes(block: block, geometry: prover.geometry, lowestLayer: layer)
        guard UInt64(bytes.count) == range.upperBound - range.lowerBound else {
            throw ContentError(.geometryMismatch, "proving block \(block) takes \(range.upperBound - range.lowerBound) bytes, these are \(bytes.count)")
        }
        let unit = TreeGeometry.blockByteCount
        let blocks = stride(from: 0, to: bytes.count, by: unit).map { UnsafeRawBufferPointer(rebasing: bytes[$0..<min($0 + unit, bytes.count)]) }
        var row = blocks.map { SHA256Digest(hashing: $0) }
        row.append(contentsOf: repeatElement(.zero, count: (1 << layer) - row.count))

        var uncles: [SHA256Digest] = []
        var index = block & ((1 << layer) - 1)
        let blockBytes = Array(blocks[index])
        while row.count > 1 {
            uncles.append(row[index ^ 1])
            row = stride(from: 0, to: row.count, by: 2).map { SHA256Digest.node(row[$0], row[$0 + 1]) }
            index >>= 1
        }
        guard row[0] == prover.layer(layer)?.node(at: block >> layer) else {
            throw ContentError(.proofMismatch, "the bytes around block \(block) are not those that were hashed")
        }
        self.init(block: block, bytes: blockBytes, uncles: uncles + prover.uncles(layer: layer, index: block >> layer))
    }

    /// Proves the block to be part of the file.
    ///
    /// - Throws: ``ContentError`` with `.geometryMismatch` or `.proofMismatch`; either means that the sender broke the protocol.
    public func verify(against descriptor: FileDescriptor) throws(ContentError) {
        let geometry = try TreeGeometry(fileSize: descriptor.size)
        guard let range = geometry.byteRange(ofBlock: self.block) else {
            throw ContentError(.geometryMismatch, "the file has \(geometry.blockCount) blocks, there is no block \(self.block)")
        }
        guard UInt64(self.bytes.count) == range.upperBound - range.lowerBound else {
            throw ContentError(.geometryMismatch, "block \(self.block) has \(range.upperBound - range.lowerBound) bytes, these are \(self.bytes.count)")
        }
        guard self.uncles.count == geometry.height else {
            throw ContentError(.geometryMismatch, "\(geometry.height) uncles lead to the root, these are \(self.uncles.count)")
        }
        let root = HashSegment.climb(from: SHA256Digest(hashing: self.bytes), index: self.block, uncles: self.uncles)
        guard root == descriptor.root else {
            throw ContentError(.proofMismatch, "block \(self.block) does not lead to root \(descriptor.root)")
        }
    }
}
