import NIOCore

/// Counts frames that are allowed and useless: a peer may send a burst of them and then so many a second.
struct GlitchBudget {
    private let burst: Int
    private let perSecond: Int
    private var remaining: Int
    private var refilledAt: NIODeadline

    init(burst: Int, perSecond: Int, now: NIODeadline) {
        self.burst = max(1, burst)
        self.perSecond = max(0, perSecond)
        self.remaining = self.burst
        self.refilledAt = now
    }

    /// Counts one. False once the budget is used up.
    mutating func spend(now: NIODeadline) -> Bool {
        if self.remaining == 0 { self.refill(now: now) }
        guard self.remaining > 0 else { return false }
        self.remaining -= 1
        return true
    }

    private mutating func refill(now: NIODeadline) {
        let milliseconds = max(0, (now - self.refilledAt).nanoseconds / 1_000_000)
        // More than the burst is never needed; the minimum keeps the product in range.
        let earned = Int(min(milliseconds, 3_600_000)) * min(self.perSecond, 1_000_000) / 1000
        guard earned > 0 else { return }
        self.remaining = min(self.burst, earned)
        self.refilledAt = now
    }
}
