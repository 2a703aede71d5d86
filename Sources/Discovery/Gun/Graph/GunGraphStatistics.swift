/// What became of writes.
public struct GunGraphStatistics: Hashable, Sendable {
    public var takenCount: UInt64 = 0
    public var unchangedCount: UInt64 = 0
    public var deferredCount: UInt64 = 0
    /// Kept back and told to nobody, because their state is too far ahead.
    public var quarantinedCount: UInt64 = 0
    /// Refused by a guard.
    public var forgedCount: UInt64 = 0
    /// No room, or a state that can't be.
    public var refusedCount: UInt64 = 0
    /// Kept back once, then dropped for want of room.
    public var droppedDeferredCount: UInt64 = 0
    public var evictedNodeCount: UInt64 = 0
    public var evictedEntryCount: UInt64 = 0

    public init() {}

    mutating func count(_ outcome: GunGraph.Outcome) {
        switch outcome {
        case .taken: self.takenCount += 1
        case .unchanged: self.unchangedCount += 1
        case .deferred: self.deferredCount += 1
        case .quarantined: self.quarantinedCount += 1
        case .forged: self.forgedCount += 1
        case .refused: self.refusedCount += 1
        }
    }
}
