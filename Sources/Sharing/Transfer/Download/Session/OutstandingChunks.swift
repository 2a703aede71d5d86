import DIGContent

/// The chunks asked for under one handle that have not begun to come, each with the hash that it must have.
struct OutstandingChunks: Sendable {
    private struct Request {
        var awaited: AwaitedChunks
        /// One for each chunk of the whole range.
        let hashes: ArraySlice<SHA256Digest>
    }

    /// None of them is empty. The oldest, which is the likeliest to be answered, comes first.
    private var requests: [Request] = []
    /// How many there are.
    private(set) var count = 0

    /// They were asked for.
    ///
    /// - Parameter hashes: One for each.
    /// - Returns: False, and nothing happened, if there are none, more than ``AwaitedChunks/maximumCount``, or not as many hashes.
    mutating func insert(_ chunks: Range<Int>, hashes: ArraySlice<SHA256Digest>) -> Bool {
        guard let awaited = AwaitedChunks(chunks), hashes.count == chunks.count else { return false }
        self.requests.append(Request(awaited: awaited, hashes: hashes))
        self.count += chunks.count
        return true
    }

    /// The chunk begins to come. Returns the hash that it must have; nil if it was not asked for, or came already.
    mutating func take(_ chunk: Int) -> SHA256Digest? {
        guard let position = self.requests.firstIndex(where: { $0.awaited.contains(chunk) }), self.requests[position].awaited.take(chunk) else { return nil }
        let hash = self.requests[position].hashes[self.requests[position].hashes.startIndex + chunk - self.requests[position].awaited.range.lowerBound]
        if self.requests[position].awaited.isEmpty { self.requests.remove(at: position) }
        self.count -= 1
        return hash
    }

    /// They are not wanted any more, or will not come. Returns those that were outstanding.
    mutating func remove(_ chunks: Range<Int>) -> [Int] {
        var removed: [Int] = []
        for position in self.requests.indices where self.requests[position].awaited.range.overlaps(chunks) {
            for chunk in self.requests[position].awaited.range.clamped(to: chunks) where self.requests[position].awaited.take(chunk) {
                removed.append(chunk)
            }
        }
        guard !removed.isEmpty else { return [] }
        self.requests.removeAll { $0.awaited.isEmpty }
        self.count -= removed.count
        return removed
    }

    /// None is wanted any more. Returns them all.
    mutating func removeAll() -> [Int] {
        defer { self = Self() }
        return self.requests.flatMap(\.awaited.chunks)
    }
}
