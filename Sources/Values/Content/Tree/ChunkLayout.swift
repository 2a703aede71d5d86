/// How a file is cut into chunks for transfer: 16 KiB · 2ᵏ bytes each, the last one shorter.
///
/// The layer k is a choice of the transfer and not part of the identity; the hash of a chunk is the tree node above its blocks.
public struct ChunkLayout: Hashable, Sendable {
    /// 16 KiB to 1 MiB.
    public static let layers = 0...6
    /// 64 KiB (XFR-01).
    public static let defaultLayer = 2
    /// Above this count of chunks the default takes larger ones, so 16 GiB is the largest file with 64 KiB chunks.
    public static let preferredMaximumChunkCount = 1 << 18
    /// The bytes of the largest chunk: 1 MiB.
    public static let maximumChunkByteCount = TreeGeometry.blockByteCount << 6

    public let geometry: TreeGeometry
    /// k; see ``treeLayer`` for the layer whose nodes are the chunk hashes.
    public let layer: Int

    /// The default layout for a file of `fileSize` bytes: 64 KiB chunks, larger ones above 16 GiB.
    ///
    /// - Throws: ``ContentError`` with `.fileTooLarge`.
    public init(fileSize: UInt64) throws(ContentError) {
        self.geometry = try TreeGeometry(fileSize: fileSize)
        var layer = Self.defaultLayer
        while layer < Self.layers.upperBound, (self.geometry.blockCount + (1 << layer) - 1) >> layer > Self.preferredMaximumChunkCount {
            layer += 1
        }
        self.layer = layer
    }

    /// - Throws: ``ContentError`` with `.fileTooLarge`, or `.geometryMismatch` if `layer` is not in ``layers``.
    public init(fileSize: UInt64, layer: Int) throws(ContentError) {
        guard Self.layers.contains(layer) else {
            throw ContentError(.geometryMismatch, "the chunk layer is \(layer), allowed are \(Self.layers.lowerBound) to \(Self.layers.upperBound)")
        }
        self.geometry = try TreeGeometry(fileSize: fileSize)
        self.layer = layer
    }

    public var fileSize: UInt64 { self.geometry.fileSize }

    /// The bytes of every chunk but the last.
    public var chunkByteCount: Int { TreeGeometry.blockByteCount << self.layer }

    /// 0 for the empty file.
    public var chunkCount: Int { (self.geometry.blockCount + (1 << self.layer) - 1) >> self.layer }

    /// All chunks.
    public var chunks: Range<ChunkIndex> { ChunkIndex(0)..<ChunkIndex(UInt32(self.chunkCount)) }

    /// The layer whose nodes are the hashes of the chunks: k, or the root's layer in a file of one chunk.
    public var treeLayer: Int { min(self.layer, self.geometry.height) }

    /// Leaves below one chunk hash, padding included: a power of two.
    public var leavesPerChunk: Int { 1 << self.treeLayer }

    public func contains(_ chunk: ChunkIndex) -> Bool { chunk.rawValue < self.chunkCount }

    /// Where the bytes of `chunk` are; `nil` if the file has no such chunk.
    public func byteRange(of chunk: ChunkIndex) -> Range<UInt64>? {
        guard self.contains(chunk) else { return nil }
        let start = UInt64(chunk.rawValue) * UInt64(self.chunkByteCount)
        return start..<min(start + UInt64(self.chunkByteCount), self.fileSize)
    }

    /// Where the bytes of consecutive chunks are; `nil` if one of them does not exist.
    public func byteRange(of chunks: Range<ChunkIndex>) -> Range<UInt64>? {
        guard chunks.upperBound.rawValue <= self.chunkCount else { return nil }
        let start = UInt64(chunks.lowerBound.rawValue) * UInt64(self.chunkByteCount)
        let end = UInt64(chunks.upperBound.rawValue) * UInt64(self.chunkByteCount)
        return min(start, self.fileSize)..<min(end, self.fileSize)
    }

    /// The bytes in `chunk`; `nil` if the file has no such chunk.
    public func byteCount(of chunk: ChunkIndex) -> Int? {
        self.byteRange(of: chunk).map { Int($0.upperBound - $0.lowerBound) }
    }

    /// Blocks with bytes in `chunk`: the leaves that are not padding.
    public func blockCount(of chunk: ChunkIndex) -> Int? {
        self.byteCount(of: chunk).map { ($0 + TreeGeometry.blockByteCount - 1) / TreeGeometry.blockByteCount }
    }

    /// The chunk with the byte at `offset`; `nil` at and after the end.
    public func chunk(containing offset: UInt64) -> ChunkIndex? {
        guard offset < self.fileSize else { return nil }
        return ChunkIndex(UInt32(offset / UInt64(self.chunkByteCount)))
    }

    /// The chunks that hold `bytes`, clipped to the file.
    public func chunks(covering bytes: Range<UInt64>) -> Range<ChunkIndex> {
        let clipped = bytes.clamped(to: 0..<self.fileSize)
        guard !clipped.isEmpty else { return ChunkIndex(0)..<ChunkIndex(0) }
        let unit = UInt64(self.chunkByteCount)
        return ChunkIndex(UInt32(clipped.lowerBound / unit))..<ChunkIndex(UInt32((clipped.upperBound - 1) / unit) + 1)
    }
}
