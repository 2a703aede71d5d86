/// Writes whose state is still to come. Bounded: the one furthest ahead makes room, so that a flood of far states never pushes out the write of
/// a peer whose clock is a little fast.
struct DeferredWrites {
    struct Write: Hashable, Sendable {
        var soul: ExactText
        var key: ExactText
        var entry: GunEntry

        var byteCount: Int { 96 + self.soul.byteCount + self.key.byteCount + self.entry.value.byteCount }
    }

    private let maximumCount: Int
    private let maximumByteCount: Int
    /// By state, the last to come first.
    private var writes: [Write] = []
    private(set) var byteCount = 0

    init(maximumCount: Int, maximumByteCount: Int) {
        self.maximumCount = maximumCount
        self.maximumByteCount = maximumByteCount
    }

    var count: Int { self.writes.count }
    /// The next state to come.
    var nextState: Double? { self.writes.last?.entry.state }

    /// - Returns: How many writes were dropped, this one perhaps among them.
    mutating func insert(_ write: Write) -> Int {
        var low = 0
        var high = self.writes.count
        while low < high {
            let middle = (low + high) / 2
            if self.writes[middle].entry.state > write.entry.state { low = middle + 1 } else { high = middle }
        }
        // The same write by several ways is one.
        var index = low
        while index < self.writes.count, self.writes[index].entry.state == write.entry.state {
            if self.writes[index] == write { return 0 }
            index += 1
        }
        self.writes.insert(write, at: low)
        self.byteCount += write.byteCount
        var dropped = 0
        while self.writes.count > self.maximumCount || self.byteCount > self.maximumByteCount {
            self.byteCount -= self.writes.removeFirst().byteCount
            dropped += 1
        }
        return dropped
    }

    /// Those whose time has come, in the order of their states.
    mutating func due(now: Double) -> [Write] {
        var due: [Write] = []
        while let last = self.writes.last, last.entry.state <= now {
            self.writes.removeLast()
            self.byteCount -= last.byteCount
            due.append(last)
        }
        return due
    }
}
