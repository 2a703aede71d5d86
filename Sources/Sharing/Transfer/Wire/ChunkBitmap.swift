/// Which of a fixed number of chunks are held.
///
/// On the wire and on disk chunk `i` is bit `i % 8`, from the least significant, of byte `i / 8`:
///
///     byte     0                 1
///     bit      7 6 5 4 3 2 1 0   7 6 5 4 3 2 1 0
///     chunk    7 6 5 4 3 2 1 0   – – – – 11 10 9 8     (12 chunks; – is zero)
///
/// Indices outside the bitmap are never held; setting them does nothing.
public struct ChunkBitmap: Hashable, Sendable {
    /// The number of chunks there are.
    public let count: Int
    /// The number of chunks held.
    public private(set) var setCount: Int
    private var words: [UInt64]

    /// A bitmap with nothing held, or with everything.
    public init(count: Int, isComplete: Bool = false) {
        self.count = max(0, count)
        self.setCount = 0
        self.words = Array(repeating: 0, count: (self.count + 63) / 64)
        if isComplete { self.insert(0..<self.count) }
    }

    /// - Throws: ``ChunkBitmapError`` if there is not exactly one bit for each chunk, or a padding bit is set.
    public init(bytes: some Collection<UInt8>, count: Int) throws(ChunkBitmapError) {
        guard count >= 0, bytes.count == (count + 7) / 8 else { throw .wrongLength(expected: (max(0, count) + 7) / 8, actual: bytes.count) }
        self.init(count: count)
        for (offset, byte) in bytes.enumerated() {
            self.words[offset / 8] |= UInt64(byte) << UInt64(offset % 8 * 8)
        }
        if count % 64 != 0, let last = self.words.last, last >> UInt64(count % 64) != 0 { throw .paddingSet }
        self.setCount = self.words.reduce(0) { $0 + $1.nonzeroBitCount }
    }

    /// No chunk is in it.
    public var isEmpty: Bool { self.setCount == 0 }
    /// Every chunk is in it; so in the bitmap of an empty file.
    public var isComplete: Bool { self.setCount == self.count }

    /// False outside the bitmap.
    public func contains(_ index: Int) -> Bool {
        guard index >= 0, index < self.count else { return false }
        return self.words[index / 64] & (1 << UInt64(index % 64)) != 0
    }

    /// Whether every chunk of `range` is held. True for an empty range.
    public func contains(_ range: Range<Int>) -> Bool {
        guard range.lowerBound >= 0, range.upperBound <= self.count else { return range.isEmpty }
        return range.isEmpty || self.endOfRun(from: range.lowerBound, held: true) >= range.upperBound
    }

    /// Returns whether the chunk was not held before.
    @discardableResult
    public mutating func insert(_ index: Int) -> Bool {
        guard index >= 0, index < self.count, !self.contains(index) else { return false }
        self.words[index / 64] |= 1 << UInt64(index % 64)
        self.setCount += 1
        return true
    }

    /// Sets the part of `range` that lies in the bitmap.
    public mutating func insert(_ range: Range<Int>) {
        self.forEachWord(of: range) { word, mask, setCount in
            setCount += (mask & ~word).nonzeroBitCount
            word |= mask
        }
    }

    /// Returns whether the chunk was held before.
    @discardableResult
    public mutating func remove(_ index: Int) -> Bool {
        guard self.contains(index) else { return false }
        self.words[index / 64] &= ~(1 << UInt64(index % 64))
        self.setCount -= 1
        return true
    }

    /// Clears the part of `range` that lies in the bitmap.
    public mutating func remove(_ range: Range<Int>) {
        self.forEachWord(of: range) { word, mask, setCount in
            setCount -= (mask & word).nonzeroBitCount
            word &= ~mask
        }
    }

    /// Adds the chunks of a bitmap of the same count.
    public mutating func formUnion(_ other: Self) {
        for index in 0..<min(self.words.count, other.words.count) { self.words[index] |= other.words[index] }
        self.clearPaddingAndCount()
    }

    /// Removes the chunks of a bitmap of the same count.
    public mutating func subtract(_ other: Self) {
        for index in 0..<min(self.words.count, other.words.count) { self.words[index] &= ~other.words[index] }
        self.clearPaddingAndCount()
    }

    /// The first chunk at or after `index` that is held.
    public func firstHeld(from index: Int = 0) -> Int? {
        let found = self.endOfRun(from: max(0, index), held: false)
        return found < self.count ? found : nil
    }

    /// The first chunk at or after `index` that is not held.
    public func firstMissing(from index: Int = 0) -> Int? {
        let found = self.endOfRun(from: max(0, index), held: true)
        return found < self.count ? found : nil
    }

    /// The chunk held that has `rank` held ones before it. Nil if there are not so many.
    func held(rank: Int) -> Int? {
        guard rank >= 0, rank < self.setCount else { return nil }
        var rank = rank
        for (position, word) in self.words.enumerated() {
            let count = word.nonzeroBitCount
            guard rank < count else {
                rank -= count
                continue
            }
            var bits = word
            for _ in 0..<rank { bits &= bits - 1 }
            return position * 64 + bits.trailingZeroBitCount
        }
        return nil
    }

    /// The runs of chunks held, in order. 16 bytes for each of them: not for a bitmap that somebody else chose.
    public var ranges: [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start = 0
        while let first = self.firstHeld(from: start) {
            start = self.endOfRun(from: first, held: true)
            ranges.append(first..<start)
        }
        return ranges
    }

    /// The runs of chunks not held, in order.
    public var missingRanges: [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start = 0
        while let first = self.firstMissing(from: start) {
            start = self.endOfRun(from: first, held: false)
            ranges.append(first..<start)
        }
        return ranges
    }

    /// One bit for each chunk, the first in the lowest bit of the first byte; the rest of the last byte is zero.
    public var bytes: [UInt8] { self.bytes(of: 0..<self.count) }

    /// The bytes of one part.
    ///
    /// - Parameter range: Its start must be a multiple of 8; it is cut to the bitmap.
    public func bytes(of range: Range<Int>) -> [UInt8] {
        let range = range.clamped(to: 0..<self.count)
        return (range.lowerBound / 8..<(range.upperBound + 7) / 8).map { offset in
            let byte = UInt8(truncatingIfNeeded: self.words[offset / 8] >> UInt64(offset % 8 * 8))
            let bits = range.upperBound - offset * 8
            return bits >= 8 ? byte : byte & ((1 << UInt8(bits)) - 1)
        }
    }

    /// Adds the chunks of one part, as ``bytes(of:)`` makes it.
    ///
    /// - Throws: ``ChunkBitmapError`` if the part does not start at a multiple of 8, reaches beyond the bitmap, or a padding bit is set.
    ///   Nothing is changed then.
    public mutating func insert(bytes: some Collection<UInt8>, at first: Int) throws(ChunkBitmapError) {
        guard first >= 0, first % 8 == 0, first <= self.count else { throw .outOfRange }
        let end = (self.count + 7) / 8
        guard bytes.count <= end - first / 8 else { throw .wrongLength(expected: end - first / 8, actual: bytes.count) }
        if self.count % 8 != 0, first / 8 + bytes.count == end, let last = bytes.suffix(1).first, last >> UInt8(self.count % 8) != 0 {
            throw .paddingSet
        }
        for (offset, byte) in zip(first / 8..<end, bytes) {
            self.words[offset / 8] |= UInt64(byte) << UInt64(offset % 8 * 8)
        }
        self.setCount = self.words.reduce(0) { $0 + $1.nonzeroBitCount }
    }

    /// The first index at or after `index` whose bit is not `held`, or ``count``.
    private func endOfRun(from index: Int, held: Bool) -> Int {
        guard index < self.count else { return self.count }
        var word = index / 64
        var bits = (held ? ~self.words[word] : self.words[word]) & (~0 << UInt64(index % 64))
        while bits == 0 {
            word += 1
            guard word < self.words.count else { return self.count }
            bits = held ? ~self.words[word] : self.words[word]
        }
        return min(self.count, word * 64 + bits.trailingZeroBitCount)
    }

    private mutating func forEachWord(of range: Range<Int>, _ body: (_ word: inout UInt64, _ mask: UInt64, _ setCount: inout Int) -> Void) {
        let range = range.clamped(to: 0..<self.count)
        guard !range.isEmpty else { return }
        for word in range.lowerBound / 64...(range.upperBound - 1) / 64 {
            let low = max(0, range.lowerBound - word * 64)
            let high = min(64, range.upperBound - word * 64)
            let mask = (~0 as UInt64) << UInt64(low) & (~0 as UInt64) >> UInt64(64 - high)
            body(&self.words[word], mask, &self.setCount)
        }
    }

    private mutating func clearPaddingAndCount() {
        if self.count % 64 != 0, !self.words.isEmpty {
            self.words[self.words.count - 1] &= (1 << UInt64(self.count % 64)) - 1
        }
        self.setCount = self.words.reduce(0) { $0 + $1.nonzeroBitCount }
    }
}
