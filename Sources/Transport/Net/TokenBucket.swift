/// Lets through `rate` tokens a second on average and `burst` at once.
package struct TokenBucket: Hashable, Sendable {
    private let rate: Double
    private let burst: Double
    private var tokens: Double
    private var filledAt: ContinuousClock.Instant

    /// - Parameters:
    ///   - rate: Tokens a second; below 0 counts as 0.
    ///   - burst: At least 1.
    package init(rate: Double, burst: Double, now: ContinuousClock.Instant) {
        self.rate = max(0, rate)
        self.burst = max(1, burst)
        self.tokens = self.burst
        self.filledAt = now
    }

    package mutating func has(_ count: Double = 1, now: ContinuousClock.Instant) -> Bool {
        self.fill(now: now)
        return self.tokens >= count
    }

    /// All or nothing.
    package mutating func take(_ count: Double = 1, now: ContinuousClock.Instant) -> Bool {
        self.fill(now: now)
        guard self.tokens >= count else { return false }
        self.tokens -= count
        return true
    }

    /// Nothing was taken for so long that this is as good as new.
    package mutating func isFull(now: ContinuousClock.Instant) -> Bool {
        self.fill(now: now)
        return self.tokens >= self.burst
    }

    private mutating func fill(now: ContinuousClock.Instant) {
        guard now > self.filledAt else { return }
        self.tokens = min(self.burst, self.tokens + self.rate * (self.filledAt.duration(to: now) / .seconds(1)))
        self.filledAt = now
    }
}
