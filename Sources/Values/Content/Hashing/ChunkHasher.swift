import CDIGSHA256

/// Computes chunk hashes, many chunks at a time: the hot path of sharing and of verifying what arrives.
///
/// The blocks of all chunks of a call are hashed together, so that every lane has work even with small chunks; give it 256 KiB or more.
/// The scratch memory is kept between calls, so in steady state nothing is allocated. Not for use from two threads at once, which
/// unique ownership rules out; keep one for each thread or pooled buffer.
///
/// `@unchecked Sendable`: the two scratch pointers are reachable only through the one owner.
public struct ChunkHasher: ~Copyable, @unchecked Sendable {
    /// Blocks hashed at a time; bounds the scratch memory (40 bytes each).
    private static let maximumLeafCount = 1024

    private var capacity = 0
    private var pointers: UnsafeMutablePointer<UnsafePointer<UInt8>?>?
    private var nodes: UnsafeMutablePointer<UInt8>?

    public init() {}

    deinit {
        self.pointers?.deallocate()
        self.nodes?.deallocate()
    }

    /// Hashes whole chunks of one file, in any order and from any place.
    ///
    /// - Parameters:
    ///   - chunks: The bytes of each chunk, 1 to `layout.chunkByteCount`; only the last chunk of the file is short.
    ///   - digests: As many places as chunks.
    /// - Throws: ``ContentError`` with `.geometryMismatch` if a chunk is empty or too long, or the counts differ.
    public mutating func hash(
        _ chunks: UnsafeBufferPointer<UnsafeRawBufferPointer>, layout: ChunkLayout, into digests: UnsafeMutableBufferPointer<SHA256Digest>
    ) throws(ContentError) {
        guard chunks.count == digests.count else { throw Self.countError(chunks.count, digests.count) }
        try self.hash(count: chunks.count, layout: layout, into: digests) { chunks[$0] }
    }

    /// Hashes consecutive chunks of one file that lie one after the other in memory; only the last may be short.
    ///
    /// - Parameter digests: As many places as chunks, ⌈`bytes.count` / `layout.chunkByteCount`⌉.
    /// - Throws: ``ContentError`` with `.geometryMismatch` if the counts differ.
    public mutating func hash(
        consecutive bytes: UnsafeRawBufferPointer, layout: ChunkLayout, into digests: UnsafeMutableBufferPointer<SHA256Digest>
    ) throws(ContentError) {
        let unit = layout.chunkByteCount
        let count = bytes.count / unit + (bytes.count % unit == 0 ? 0 : 1)
        guard count == digests.count else { throw Self.countError(count, digests.count) }
        try self.hash(count: count, layout: layout, into: digests) { index in
            UnsafeRawBufferPointer(rebasing: bytes[index * unit..<min((index + 1) * unit, bytes.count)])
        }
    }

    /// Hashes whole chunks and returns the digests in their order.
    ///
    /// - Throws: ``ContentError`` with `.geometryMismatch` if a chunk is empty or too long.
    public mutating func hash(_ chunks: [UnsafeRawBufferPointer], layout: ChunkLayout) throws(ContentError) -> [SHA256Digest] {
        var digests = [SHA256Digest](repeating: .zero, count: chunks.count)
        try digests.withUnsafeMutableBufferPointer { (digests) throws(ContentError) in
            try self.hash(count: chunks.count, layout: layout, into: digests) { chunks[$0] }
        }
        return digests
    }

    private static func countError(_ chunks: Int, _ digests: Int) -> ContentError {
        ContentError(.geometryMismatch, "\(chunks) chunks need as many places for digests, not \(digests)")
    }

    private mutating func hash(
        count: Int, layout: ChunkLayout, into digests: UnsafeMutableBufferPointer<SHA256Digest>, chunk: (Int) -> UnsafeRawBufferPointer
    ) throws(ContentError) {
        let leavesPerChunk = layout.leavesPerChunk
        let chunksPerGroup = max(1, Self.maximumLeafCount / leavesPerChunk)
        var start = 0
        while start < count {
            let end = min(start + chunksPerGroup, count)
            try self.hashGroup(start..<end, leavesPerChunk: leavesPerChunk, into: digests, chunk: chunk)
            start = end
        }
    }

    /// Leaf i of the j-th chunk of the group is node `j * leavesPerChunk + i`, so that one call per layer folds all chunks at once.
    private mutating func hashGroup(
        _ group: Range<Int>, leavesPerChunk: Int, into digests: UnsafeMutableBufferPointer<SHA256Digest>, chunk: (Int) -> UnsafeRawBufferPointer
    ) throws(ContentError) {
        let blockByteCount = TreeGeometry.blockByteCount
        self.reserve(group.count * leavesPerChunk)
        guard let pointers = self.pointers, let nodes = self.nodes, let output = digests.baseAddress else { return }

        // Whole blocks wait in a run until a short chunk interrupts it.
        var runStart = 0
        var runEnd = 0
        func flush() {
            guard runEnd > runStart else { return }
            dig_sha256_blocks(pointers + runStart, runEnd - runStart, blockByteCount, nodes + runStart * SHA256Digest.byteCount)
        }
        for index in group {
            let bytes = chunk(index)
            guard let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count > 0,
                bytes.count <= leavesPerChunk * blockByteCount
            else {
                throw ContentError(.geometryMismatch, "a chunk has 1 to \(leavesPerChunk * blockByteCount) bytes, not \(bytes.count)")
            }
            let wholeBlocks = bytes.count / blockByteCount
            for block in 0..<wholeBlocks { pointers[runEnd + block] = base + block * blockByteCount }
            runEnd += wholeBlocks
            guard wholeBlocks < leavesPerChunk else { continue }
            flush()
            let rest = bytes.count - wholeBlocks * blockByteCount
            if rest > 0 {
                var tail: UnsafePointer<UInt8>? = base + wholeBlocks * blockByteCount
                dig_sha256_blocks(&tail, 1, rest, nodes + runEnd * SHA256Digest.byteCount)
                runEnd += 1
            }
            let chunkEnd = (index - group.lowerBound + 1) * leavesPerChunk
            (nodes + runEnd * SHA256Digest.byteCount).update(repeating: 0, count: (chunkEnd - runEnd) * SHA256Digest.byteCount)
            runStart = chunkEnd
            runEnd = chunkEnd
        }
        flush()

        var nodeCount = group.count * leavesPerChunk
        while nodeCount > group.count {
            nodeCount /= 2
            dig_sha256_pairs(nodes, nodeCount, nodes)
        }
        UnsafeMutableRawPointer(output + group.lowerBound).copyMemory(from: nodes, byteCount: group.count * SHA256Digest.byteCount)
    }

    private mutating func reserve(_ leafCount: Int) {
        guard leafCount > self.capacity else { return }
        self.pointers?.deallocate()
        self.nodes?.deallocate()
        let pointers = UnsafeMutablePointer<UnsafePointer<UInt8>?>.allocate(capacity: leafCount)
        pointers.initialize(repeating: nil, count: leafCount)
        self.pointers = pointers
        let nodes = UnsafeMutablePointer<UInt8>.allocate(capacity: leafCount * SHA256Digest.byteCount)
        nodes.initialize(repeating: 0, count: leafCount * SHA256Digest.byteCount)
        self.nodes = nodes
        self.capacity = leafCount
    }
}
