/// When to dial again. gun.js: every 2 s, some 60 times, and then never. Ours: for ever, less and less often.
struct GunReconnection {
    /// The first wait; each later one is twice the last.
    static let initialDelay: Duration = .seconds(1)
    static let maximumDelay: Duration = .seconds(60)
    /// A connection that lived this long was a good one: the waits begin anew.
    static let goodLifetime: Duration = .seconds(30)

    private var failureCount = 0

    /// - Parameters:
    ///   - lifetime: How long the connection held; nil if there was none.
    ///   - jitter: Between 0 and 1: spreads those who lost the same relay.
    mutating func ended(after lifetime: Duration?, jitter: Double) -> Duration {
        if let lifetime, lifetime >= Self.goodLifetime { self.failureCount = 0 }
        let delay = min(Self.initialDelay * (1 << min(self.failureCount, 6)), Self.maximumDelay)
        self.failureCount += 1
        return delay * (0.75 + 0.5 * min(max(jitter, 0), 1))
    }
}
