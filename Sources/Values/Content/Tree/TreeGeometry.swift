/// The shape of the hash tree of a file of a given size (BEP 52).
///
/// ```
///                 root              layer 2 = height
///            ┌─────┴─────┐
///            n           n          layer 1
///         ┌──┴──┐     ┌──┴──┐
///         b     b     b     0       layer 0: SHA-256 of 16 KiB blocks, then zero hashes
/// ```
public struct TreeGeometry: Hashable, Sendable {
    /// The bytes under one leaf.
    public static let blockByteCount = 16 * 1024
    /// Layers of the largest file: 1 TiB is 2²⁶ blocks.
    public static let maximumHeight = 26

    /// In bytes; at most ``FileDescriptor/maximumSize``.
    public let fileSize: UInt64

    /// - Throws: ``ContentError`` with `.fileTooLarge`.
    public init(fileSize: UInt64) throws(ContentError) {
        guard fileSize <= FileDescriptor.maximumSize else {
            throw ContentError(.fileTooLarge, "a file may have \(FileDescriptor.maximumSize) bytes, this one has \(fileSize)")
        }
        self.fileSize = fileSize
    }

    /// Leaves that hold bytes of the file.
    public var blockCount: Int {
        Int((self.fileSize + UInt64(Self.blockByteCount) - 1) / UInt64(Self.blockByteCount))
    }

    /// The layer of the root: 0 if the file has at most one block.
    public var height: Int { Self.ceilingLog2(self.blockCount) }

    /// Nodes of `layer` that have bytes of the file below them; the nodes after them are padding.
    public func nodeCount(atLayer layer: Int) -> Int {
        guard layer >= 0 else { return 0 }
        guard layer < self.height else { return layer == self.height ? min(self.blockCount, 1) : 0 }
        return (self.blockCount + (1 << layer) - 1) >> layer
    }

    /// Nodes of `layer` with padding: a power of two.
    public func paddedNodeCount(atLayer layer: Int) -> Int {
        guard layer >= 0, layer <= self.height else { return 0 }
        return 1 << (self.height - layer)
    }

    public func byteRange(ofBlock block: Int) -> Range<UInt64>? {
        guard block >= 0, block < self.blockCount else { return nil }
        let start = UInt64(block) * UInt64(Self.blockByteCount)
        return start..<min(start + UInt64(Self.blockByteCount), self.fileSize)
    }

    static func ceilingLog2(_ count: Int) -> Int {
        count <= 1 ? 0 : Int.bitWidth - (count - 1).leadingZeroBitCount
    }
}
