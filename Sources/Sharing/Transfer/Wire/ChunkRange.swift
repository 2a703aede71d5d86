/// Consecutive chunks: at least one, all with an index that fits 32 bits.
public struct ChunkRange: Hashable, Sendable, CustomStringConvertible {
    /// The first chunk.
    public let first: UInt32
    /// Chunks; at least 1.
    public let count: UInt32

    /// Nil if `count` is zero or the last index does not fit 32 bits.
    public init?(first: UInt32, count: UInt32) {
        guard count > 0, UInt64(first) + UInt64(count) <= UInt64(UInt32.max) + 1 else { return nil }
        self.first = first
        self.count = count
    }

    /// Nil if `indices` is empty, negative, or does not fit 32 bits.
    public init?(_ indices: Range<Int>) {
        guard let first = UInt32(exactly: indices.lowerBound), let count = UInt32(exactly: indices.count) else { return nil }
        self.init(first: first, count: count)
    }

    /// The same as a range.
    public var indices: Range<Int> { Int(self.first)..<Int(self.first) + Int(self.count) }
    public var description: String { "\(self.indices)" }
}
