extension DownloadStateMachine {
    struct Request {
        var range: Range<Int>
        /// Bit i: chunk `range.lowerBound + i` has not come.
        var remaining: UInt64
        let requestedAt: Instant
        /// Nothing else was outstanding, so the answer's delay is a round trip.
        let measuresRoundTrip: Bool
        /// A stalled peer's probe: its chunks are not counted in the picker any more.
        var isReleased = false

        var remainingCount: Int { self.remaining.nonzeroBitCount }

        /// Returns whether the chunk was still to come.
        mutating func take(_ index: Int) -> Bool {
            guard self.range.contains(index) else { return false }
            let bit: UInt64 = 1 << UInt64(index - self.range.lowerBound)
            guard self.remaining & bit != 0 else { return false }
            self.remaining &= ~bit
            return true
        }

        var indices: [Int] {
            var bits = self.remaining
            var indices: [Int] = []
            while bits != 0 {
                indices.append(self.range.lowerBound + bits.trailingZeroBitCount)
                bits &= bits - 1
            }
            return indices
        }
    }
}
