import NIOCore

/// So many requests each second from one network, and a few at once after a pause.
///
/// Keeps one instant for each network: when it will have paid for all it was given (the generic cell rate algorithm). A network that has paid is
/// forgotten.
struct STUNRateLimiter {
    typealias Instant = ContinuousClock.Instant

    private let interval: Duration
    private let tolerance: Duration
    private let maximumCount: Int
    private var paidAt: [STUNNetworkKey: Instant] = [:]
    private var lastCleaning: Instant?

    /// Ours: cleaning costs a look at every entry.
    private static let cleaningInterval: Duration = .milliseconds(100)

    init(requestsPerSecond: Double, burstCount: Int, maximumCount: Int) {
        // A million a second is no limit, one in a day none that makes sense, and what is no number is the least.
        let rate = requestsPerSecond.isNaN ? 0 : requestsPerSecond
        self.interval = .seconds(1 / min(max(rate, 0.00001), 1_000_000))
        self.tolerance = self.interval * min(max(0, burstCount - 1), 1_000_000)
        self.maximumCount = max(1, maximumCount)
    }

    var count: Int { self.paidAt.count }

    mutating func allows(_ source: SocketAddress, now: Instant) -> Bool {
        guard let key = STUNNetworkKey(source) else { return false }
        let paidAt = max(self.paidAt[key] ?? now, now)
        guard paidAt <= now + self.tolerance else { return false }
        if self.paidAt[key] == nil, self.paidAt.count >= self.maximumCount {
            self.clean(now: now)
            guard self.paidAt.count < self.maximumCount else { return false }
        }
        self.paidAt[key] = paidAt + self.interval
        return true
    }

    private mutating func clean(now: Instant) {
        if let lastCleaning = self.lastCleaning, now < lastCleaning + Self.cleaningInterval { return }
        self.lastCleaning = now
        self.paidAt = self.paidAt.filter { $0.value > now }
    }
}
