/// A set of chunk indices in which the next member is found in a few steps, however sparse the set is.
///
/// A tree of 64-bit words: a bit on one level says that the word below it is not zero. 2^20 chunks are four levels.
///
///     level 2   1
///     level 1   1 0 1
///     level 0   …word 0… …zero… …word 2…
///
/// Unlike ``ChunkBitmap``, whose search walks word by word, this is made for sets that are searched at every request.
struct ChunkSet: Sendable {
    /// The number of chunks there are; members are in `0..<universe`.
    let universe: Int
    /// The number of members.
    private(set) var count = 0
    private var levels: [[UInt64]]

    init(universe: Int) {
        self.universe = max(0, universe)
        self.levels = []
        var bits = self.universe
        repeat {
            bits = (bits + 63) / 64
            self.levels.append(Array(repeating: 0, count: bits))
        } while bits > 1
    }

    var isEmpty: Bool { self.count == 0 }

    func contains(_ index: Int) -> Bool {
        guard index >= 0, index < self.universe else { return false }
        return self.levels[0][index >> 6] & (1 << UInt64(index & 63)) != 0
    }

    /// Returns whether `index` was not a member before. An index outside the universe is ignored.
    @discardableResult
    mutating func insert(_ index: Int) -> Bool {
        guard index >= 0, index < self.universe, !self.contains(index) else { return false }
        self.count += 1
        var position = index
        for level in self.levels.indices {
            let old = self.levels[level][position >> 6]
            self.levels[level][position >> 6] = old | 1 << UInt64(position & 63)
            if old != 0 { break }
            position >>= 6
        }
        return true
    }

    /// Returns whether `index` was a member before.
    @discardableResult
    mutating func remove(_ index: Int) -> Bool {
        guard self.contains(index) else { return false }
        self.count -= 1
        var position = index
        for level in self.levels.indices {
            let new = self.levels[level][position >> 6] & ~(1 << UInt64(position & 63))
            self.levels[level][position >> 6] = new
            if new != 0 { break }
            position >>= 6
        }
        return true
    }

    /// The first member at or after `index`.
    func first(from index: Int = 0) -> Int? {
        self.search(from: index) { level, word in self.levels[level][word] }
    }

    /// The first index at or after `index` that is no member. Runs of members are passed a word at a time.
    func firstAbsent(from index: Int = 0) -> Int? {
        let position = max(0, index)
        guard position < self.universe else { return nil }
        var word = position >> 6
        var bits = ~self.levels[0][word] & (~0 << UInt64(position & 63))
        while bits == 0 {
            word += 1
            guard word < self.levels[0].count else { return nil }
            bits = ~self.levels[0][word]
        }
        let found = word << 6 | bits.trailingZeroBitCount
        return found < self.universe ? found : nil
    }

    /// The first index at or after `index` that is in both sets, which must be of the same universe.
    func firstCommon(with other: ChunkSet, from index: Int = 0) -> Int? {
        guard self.universe == other.universe else { return nil }
        // On an upper level both bits may be set for different members below: the search then goes on behind them.
        return self.search(from: index) { level, word in self.levels[level][word] & other.levels[level][word] }
    }

    private func search(from index: Int, _ bits: (_ level: Int, _ word: Int) -> UInt64) -> Int? {
        var position = max(0, index)
        guard position < self.universe else { return nil }
        var level = 0
        while true {
            let word = position >> 6
            let found = word < self.levels[level].count ? bits(level, word) & (~0 << UInt64(position & 63)) : 0
            if found != 0 {
                position = word << 6 | found.trailingZeroBitCount
                if level == 0 { return position }
                level -= 1
                position <<= 6
            } else {
                level += 1
                guard level < self.levels.count else { return nil }
                position = word + 1
            }
        }
    }
}
