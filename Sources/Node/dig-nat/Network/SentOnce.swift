import DIGContent

/// Counts down until everything shared has left once, for `share --once`.
struct SentOnce {
    private var missing: [ContentHash: UInt64]
    private var hasServed = false

    /// - Parameter files: The files shared, with their sizes; equal files count once.
    init(files: [ContentHash: UInt64]) {
        self.missing = files.filter { $0.value > 0 }
    }

    /// A peer's session ended.
    mutating func sent(_ byteCounts: [ContentHash: UInt64]) {
        self.hasServed = true
        for (hash, count) in byteCounts {
            guard let rest = self.missing[hash] else { continue }
            self.missing[hash] = rest > count ? rest - count : nil
        }
    }

    /// Empty files leave no trace: a session has to have ended at least.
    var isComplete: Bool { self.hasServed && self.missing.isEmpty }
}
