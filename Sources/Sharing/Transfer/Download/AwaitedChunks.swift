/// Up to 64 consecutive chunks that were asked for together, and which of them are still to come.
struct AwaitedChunks: Hashable, Sendable {
    static let maximumCount = UInt64.bitWidth

    /// All that were asked for.
    let range: Range<Int>
    /// Bit i: chunk `range.lowerBound + i` has not come.
    private var remaining: UInt64

    /// Nil if `range` is empty, or longer than ``maximumCount``.
    init?(_ range: Range<Int>) {
        guard (1...Self.maximumCount).contains(range.count) else { return nil }
        self.range = range
        self.remaining = ~0 >> UInt64(Self.maximumCount - range.count)
    }

    /// How many are still to come.
    var count: Int { self.remaining.nonzeroBitCount }
    var isEmpty: Bool { self.remaining == 0 }

    /// Whether the chunk is still to come.
    func contains(_ chunk: Int) -> Bool {
        self.range.contains(chunk) && self.remaining & (1 << UInt64(chunk - self.range.lowerBound)) != 0
    }

    /// The chunk came. Returns whether it was still to come.
    mutating func take(_ chunk: Int) -> Bool {
        guard self.contains(chunk) else { return false }
        self.remaining &= ~(1 << UInt64(chunk - self.range.lowerBound))
        return true
    }

    /// Those still to come, ascending.
    var chunks: [Int] {
        var bits = self.remaining
        var chunks: [Int] = []
        chunks.reserveCapacity(self.count)
        while bits != 0 {
            chunks.append(self.range.lowerBound + bits.trailingZeroBitCount)
            bits &= bits - 1
        }
        return chunks
    }
}
