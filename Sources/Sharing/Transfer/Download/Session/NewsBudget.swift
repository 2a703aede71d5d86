import NIOCore

/// How much a peer may tell us unasked, such as what it holds: a burst, and then so much a second.
///
/// A host announces new chunks ten times a second for each content, so a folder of 64 files costs 640 a second.
struct NewsBudget: Sendable {
    static let burst = 8192
    static let perSecond = 4000

    private var remaining = Self.burst
    private var refilledAt: NIODeadline

    init(now: NIODeadline) {
        self.refilledAt = now
    }

    /// Counts a message of `weight`. False once the budget is used up.
    mutating func spend(_ weight: Int, now: NIODeadline) -> Bool {
        if self.remaining < weight { self.refill(now: now) }
        guard self.remaining >= weight else { return false }
        self.remaining -= weight
        return true
    }

    private mutating func refill(now: NIODeadline) {
        // More than a burst is never needed, so longer pauses than this do not count.
        let milliseconds = Int(min(max(0, (now - self.refilledAt).nanoseconds / 1_000_000), 60_000))
        let earned = milliseconds * Self.perSecond / 1000
        guard earned > 0 else { return }
        self.remaining = min(Self.burst, self.remaining + earned)
        self.refilledAt = now
    }
}
