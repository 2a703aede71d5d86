import DIGContent

/// One reused buffer of 1 MiB with consecutive chunks of one file, and what is needed to prove and write them.
///
/// `@unchecked Sendable`: at any time one owner uses it: the session that fills it, on its loop, or the job that it is handed to.
final class ChunkSlab: @unchecked Sendable {
    static let byteCount = ChunkLayout.maximumChunkByteCount
    static let maximumChunkCount = ChunkSlab.byteCount / TreeGeometry.blockByteCount

    private let memory: UnsafeMutableRawPointer
    private let digests: UnsafeMutableBufferPointer<SHA256Digest>
    private var hasher = ChunkHasher()

    private(set) var firstChunk = 0
    /// Whole chunks.
    private(set) var chunkCount = 0
    /// Bytes of whole chunks.
    private var completeByteCount = 0
    /// Bytes written, those of a part of a chunk included.
    private var filledByteCount = 0
    private var expected: [SHA256Digest] = []

    init() {
        self.memory = .allocate(byteCount: Self.byteCount, alignment: 4096)
        self.digests = .allocate(capacity: Self.maximumChunkCount)
        self.digests.initialize(repeating: .zero)
        self.expected.reserveCapacity(Self.maximumChunkCount)
    }

    deinit {
        self.memory.deallocate()
        self.digests.deallocate()
    }

    var isEmpty: Bool { self.chunkCount == 0 }
    var chunks: Range<Int> { self.firstChunk..<self.firstChunk + self.chunkCount }

    /// Whether a chunk of `byteCount` bytes may follow.
    func hasRoom(for chunk: Int, byteCount: Int) -> Bool {
        self.chunkCount == 0 || (chunk == self.chunks.upperBound && self.completeByteCount + byteCount <= Self.byteCount && self.chunkCount < Self.maximumChunkCount)
    }

    /// The next bytes belong to `chunk`, whose hash has to be `expected`. ``hasRoom(for:byteCount:)`` holds.
    func begin(_ chunk: Int, expected: SHA256Digest) {
        if self.chunkCount == 0 { self.firstChunk = chunk }
        self.abandonPart()
        self.expected.append(expected)
    }

    func append(_ bytes: UnsafeRawBufferPointer) {
        let count = min(bytes.count, Self.byteCount - self.filledByteCount)
        guard count > 0, let source = bytes.baseAddress else { return }
        (self.memory + self.filledByteCount).copyMemory(from: source, byteCount: count)
        self.filledByteCount += count
    }

    /// The chunk is whole.
    func end() {
        self.chunkCount += 1
        self.completeByteCount = self.filledByteCount
    }

    /// Forgets a chunk that did not come whole.
    func abandonPart() {
        self.filledByteCount = self.completeByteCount
        self.expected.removeLast(self.expected.count - self.chunkCount)
    }

    func reset() {
        self.firstChunk = 0
        self.chunkCount = 0
        self.completeByteCount = 0
        self.filledByteCount = 0
        self.expected.removeAll(keepingCapacity: true)
    }

    /// Moves the part of a chunk at the end to an empty slab.
    func moveNext(to other: ChunkSlab) {
        guard let hash = self.expected.last, self.expected.count > self.chunkCount else { return }
        other.begin(self.chunks.upperBound, expected: hash)
        other.append(UnsafeRawBufferPointer(start: self.memory + self.completeByteCount, count: self.filledByteCount - self.completeByteCount))
        self.abandonPart()
    }

    /// Compares every chunk with its hash and writes those that are right, in as few writes as possible. Blocks.
    ///
    /// - Returns: The chunks that are not what the tree says.
    func proveAndWrite(to file: PartFile, layout: ChunkLayout) throws(TransferError) -> [Int] {
        let bytes = UnsafeRawBufferPointer(start: self.memory, count: self.completeByteCount)
        let digests = UnsafeMutableBufferPointer(rebasing: self.digests[..<self.chunkCount])
        do throws(ContentError) {
            try self.hasher.hash(consecutive: bytes, layout: layout, into: digests)
        } catch {
            return Array(self.chunks)
        }
        var corrupt: [Int] = []
        var runStart = 0
        for position in 0...self.chunkCount {
            let isRight = position < self.chunkCount && digests[position] == self.expected[position]
            if isRight { continue }
            if runStart < position {
                let start = runStart * layout.chunkByteCount
                let end = min(position * layout.chunkByteCount, bytes.count)
                try file.write(
                    UnsafeRawBufferPointer(rebasing: bytes[start..<end]), at: UInt64(self.firstChunk + runStart) * UInt64(layout.chunkByteCount))
            }
            if position < self.chunkCount { corrupt.append(self.firstChunk + position) }
            runStart = position + 1
        }
        return corrupt
    }

    /// Reads what an earlier run left of consecutive chunks and compares it with their hashes. Blocks.
    ///
    /// - Parameter chunks: As many as fit.
    /// - Returns: Those that are right.
    func proveStored(_ chunks: Range<Int>, hashes: ArraySlice<SHA256Digest>, in file: PartFile, layout: ChunkLayout) throws(TransferError) -> [Int] {
        self.reset()
        let start = UInt64(chunks.lowerBound) * UInt64(layout.chunkByteCount)
        let end = min(UInt64(chunks.upperBound) * UInt64(layout.chunkByteCount), layout.fileSize)
        guard end > start, end - start <= UInt64(Self.byteCount), chunks.count <= Self.maximumChunkCount, hashes.count == chunks.count else { return [] }
        let buffer = UnsafeMutableRawBufferPointer(start: self.memory, count: Int(end - start))
        guard try file.read(into: buffer, at: start) == buffer.count else { return [] }
        let digests = UnsafeMutableBufferPointer(rebasing: self.digests[..<chunks.count])
        do throws(ContentError) {
            try self.hasher.hash(consecutive: UnsafeRawBufferPointer(buffer), layout: layout, into: digests)
        } catch {
            return []
        }
        return zip(chunks, zip(digests, hashes)).compactMap { $1.0 == $1.1 ? $0 : nil }
    }
}
