/// Lets through `rate` tokens a second on average and `burst` at once.
struct TokenBucket {
    private let rate: Double
    private let burst: Double
    private var tokens: Double
    private var filledAt: ContinuousClock.Instant

    init(rate: Double, burst: Double, now: ContinuousClock.Instant) {
        self.rate = rate
        self.burst = burst
        self.tokens = burst
        self.filledAt = now
    }

    mutating func take(_ count: Double, now: ContinuousClock.Instant) -> Bool {
        if now > self.filledAt {
            self.tokens = min(self.burst, self.tokens + self.rate * (self.filledAt.duration(to: now) / .seconds(1)))
            self.filledAt = now
        }
        guard self.tokens >= count else { return false }
        self.tokens -= count
        return true
    }
}
