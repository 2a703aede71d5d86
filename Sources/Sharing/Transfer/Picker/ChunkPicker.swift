/// Decides which chunks are asked for next.
///
/// The order is: chunks that a reader waits for, in their order; then those that the fewest partial holders have; among equals
/// the lowest index. With no partial holder all are equally rare, so a file fills from front to back.
///
/// Invariants, checked by the tests after every step:
///  - A chunk is *pickable* exactly if it is `.missing` and unlocked (its hash is known). A pickable chunk is in exactly one
///    bucket, that of its rarity; no other chunk is in any bucket.
///  - A chunk is `.requested` exactly if its number of requesters is not zero.
///  - `.verified` is final.
///
/// Every operation costs a few steps for each chunk that it names, whatever the size of the file. Only a partial holder that comes
/// or goes costs a step for each chunk that it holds.
struct ChunkPicker: Sendable {
    /// Rarities at or above the last bucket share it.
    static let bucketCount = 8
    /// Readers at once; further ones are served in the general order.
    static let maximumPriorityRangeCount = 64

    let chunkCount: Int
    private(set) var verifiedCount = 0
    private var states: [UInt8]
    private var requesters: [UInt8]
    private var unlocked: ChunkSet
    private var buckets: [ChunkSet]
    /// For each chunk, how many partial holders have it. Empty as long as there is no partial holder.
    private var rarities: [UInt16] = []
    private(set) var priorities: [Range<Int>] = []

    init(chunkCount: Int) {
        self.chunkCount = chunkCount
        self.states = Array(repeating: ChunkState.missing.rawValue, count: chunkCount)
        self.requesters = Array(repeating: 0, count: chunkCount)
        self.unlocked = ChunkSet(universe: chunkCount)
        self.buckets = [ChunkSet(universe: chunkCount)]
    }

    var isComplete: Bool { self.verifiedCount == self.chunkCount }
    /// Chunks that could be asked for at once if a peer had them.
    var pickableCount: Int { self.buckets.reduce(0) { $0 + $1.count } }

    func state(of index: Int) -> ChunkState {
        guard self.states.indices.contains(index) else { return .missing }
        return ChunkState(rawValue: self.states[index]) ?? .missing
    }

    func requesterCount(of index: Int) -> Int {
        self.requesters.indices.contains(index) ? Int(self.requesters[index]) : 0
    }

    func isPickable(_ index: Int) -> Bool { self.state(of: index) == .missing && self.unlocked.contains(index) }

    /// How many partial holders have the chunk.
    func rarity(of index: Int) -> Int {
        self.rarities.indices.contains(index) ? Int(self.rarities[index]) : 0
    }

    /// The hashes of these chunks are known: they may be asked for.
    mutating func unlock(_ range: Range<Int>) {
        for index in range.clamped(to: 0..<self.chunkCount) where self.unlocked.insert(index) {
            if self.state(of: index) == .missing { self.enterBucket(index) }
        }
    }

    // MARK: - Holders

    mutating func partialHolderAdded(_ chunks: ChunkSet) {
        var next = chunks.first()
        while let index = next {
            self.partialHolderGained(index)
            next = chunks.first(from: index + 1)
        }
    }

    mutating func partialHolderGained(_ index: Int) {
        guard index >= 0, index < self.chunkCount else { return }
        if self.rarities.isEmpty {
            self.rarities = Array(repeating: 0, count: self.chunkCount)
            self.buckets += (1..<Self.bucketCount).map { _ in ChunkSet(universe: self.chunkCount) }
        }
        guard self.rarities[index] < .max else { return }
        self.changeRarity(of: index, to: self.rarities[index] + 1)
    }

    mutating func partialHolderRemoved(_ chunks: ChunkSet) {
        guard !self.rarities.isEmpty else { return }
        var next = chunks.first()
        while let index = next {
            if self.rarities.indices.contains(index), self.rarities[index] > 0 {
                self.changeRarity(of: index, to: self.rarities[index] - 1)
            }
            next = chunks.first(from: index + 1)
        }
    }

    // MARK: - Readers

    /// Replaces the ranges that readers wait for, the most urgent first. They are cut to the file and to ``maximumPriorityRangeCount``.
    mutating func setPriorities(_ ranges: [Range<Int>]) {
        self.priorities = ranges.prefix(Self.maximumPriorityRangeCount)
            .map { $0.clamped(to: 0..<self.chunkCount) }.filter { !$0.isEmpty }
    }

    // MARK: - Picking

    /// Takes up to `limit` consecutive chunks that the peer holds, and counts the peer as their requester.
    ///
    /// - Parameters:
    ///   - segment: Chunks of one request stay within one run of this length, so that their hashes are at hand in one piece.
    mutating func pick(from holdings: ChunkHoldings, limit: Int, segment: Int) -> Range<Int>? {
        guard limit > 0, let run = self.nextRun(from: holdings, limit: limit, segment: max(1, segment)) else { return nil }
        for index in run {
            self.leaveBucket(index)
            self.states[index] = ChunkState.requested.rawValue
            self.requesters[index] = 1
        }
        return run
    }

    private func nextRun(from holdings: ChunkHoldings, limit: Int, segment: Int) -> Range<Int>? {
        for range in self.priorities {
            if let start = range.first(where: { self.isPickable($0) && holdings.contains($0) }) {
                let end = self.end(from: start, limit: limit, segment: segment) {
                    $0 < range.upperBound && self.isPickable($0) && holdings.contains($0)
                }
                return start..<end
            }
        }
        for bucket in self.buckets where !bucket.isEmpty {
            switch holdings {
            case .complete:
                guard let start = bucket.first() else { continue }
                return start..<self.end(from: start, limit: limit, segment: segment) { bucket.contains($0) }
            case .partial(let chunks):
                guard let start = bucket.firstCommon(with: chunks) else { continue }
                return start..<self.end(from: start, limit: limit, segment: segment) { bucket.contains($0) && chunks.contains($0) }
            }
        }
        return nil
    }

    private func end(from start: Int, limit: Int, segment: Int, while isWanted: (Int) -> Bool) -> Int {
        let bound = min(start + limit, (start / segment + 1) * segment, self.chunkCount)
        var end = start + 1
        while end < bound, isWanted(end) { end += 1 }
        return end
    }

    /// Counts another requester of a chunk that is `.requested` already. Returns false for any other chunk.
    mutating func addRequester(_ index: Int) -> Bool {
        guard self.state(of: index) == .requested, self.requesters[index] < .max else { return false }
        self.requesters[index] += 1
        return true
    }

    /// A requester that had given up goes on. Returns false for a chunk that is verified.
    mutating func reclaim(_ index: Int) -> Bool {
        if self.isPickable(index) {
            self.leaveBucket(index)
            self.states[index] = ChunkState.requested.rawValue
            self.requesters[index] = 1
            return true
        }
        return self.addRequester(index)
    }

    /// A requester gave up, or its answer was bad. With the last one gone the chunk is pickable again.
    mutating func release(_ index: Int) {
        guard self.state(of: index) == .requested else { return }
        self.requesters[index] -= 1
        guard self.requesters[index] == 0 else { return }
        self.states[index] = ChunkState.missing.rawValue
        if self.unlocked.contains(index) { self.enterBucket(index) }
    }

    /// The chunk is proven and on disk. Returns false if it was before.
    @discardableResult
    mutating func verified(_ index: Int) -> Bool {
        guard index >= 0, index < self.chunkCount, self.state(of: index) != .verified else { return false }
        if self.isPickable(index) { self.leaveBucket(index) }
        self.states[index] = ChunkState.verified.rawValue
        self.requesters[index] = 0
        self.verifiedCount += 1
        return true
    }

    // MARK: - Buckets

    private func bucket(of index: Int) -> Int { min(self.rarity(of: index), self.buckets.count - 1) }

    private mutating func enterBucket(_ index: Int) { self.buckets[self.bucket(of: index)].insert(index) }

    private mutating func leaveBucket(_ index: Int) { self.buckets[self.bucket(of: index)].remove(index) }

    private mutating func changeRarity(of index: Int, to rarity: UInt16) {
        let isPickable = self.isPickable(index)
        if isPickable { self.leaveBucket(index) }
        self.rarities[index] = rarity
        if isPickable { self.enterBucket(index) }
    }

    /// For tests: the bucket sets, by rarity.
    var bucketsForTesting: [ChunkSet] { self.buckets }
}
