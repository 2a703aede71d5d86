import NIOCore
import Testing

@testable import DIGSTUN

@Suite("STUN rate limit")
struct STUNRateLimiterTests {
    private let start = ContinuousClock.now

    private func allows(_ limiter: inout STUNRateLimiter, _ source: String, at now: ContinuousClock.Instant) -> Bool {
        limiter.allows(address(source), now: now)
    }

    private func allowed(_ limiter: inout STUNRateLimiter, _ source: String, tries: Int, at now: ContinuousClock.Instant) -> Int {
        (0..<tries).count { _ in self.allows(&limiter, source, at: now) }
    }

    @Test("a burst at once, then so many a second")
    func burst() {
        var limiter = STUNRateLimiter(requestsPerSecond: 5, burstCount: 20, maximumCount: 10)
        #expect(self.allowed(&limiter, "192.0.2.1:1", tries: 100, at: self.start) == 20)
        #expect(self.allowed(&limiter, "192.0.2.1:1", tries: 100, at: self.start + .milliseconds(200)) == 1)
        #expect(self.allowed(&limiter, "192.0.2.1:1", tries: 100, at: self.start + .milliseconds(1200)) == 5)
        var total = 0
        for second in 2..<102 { total += self.allowed(&limiter, "192.0.2.1:1", tries: 100, at: self.start + .seconds(second)) }
        #expect((495...505).contains(total))
        #expect(self.allowed(&limiter, "192.0.2.1:1", tries: 100, at: self.start + .seconds(1000)) == 20)
    }

    @Test("counts an IPv4 address whatever its port, and an IPv6 /64 as one")
    func networks() {
        var limiter = STUNRateLimiter(requestsPerSecond: 5, burstCount: 2, maximumCount: 10)
        #expect(self.allowed(&limiter, "192.0.2.1:1", tries: 2, at: self.start) == 2)
        #expect(self.allowed(&limiter, "192.0.2.1:2", tries: 2, at: self.start) == 0)
        #expect(self.allowed(&limiter, "[::ffff:192.0.2.1]:2", tries: 2, at: self.start) == 0)
        #expect(self.allowed(&limiter, "192.0.2.2:1", tries: 2, at: self.start) == 2)
        #expect(self.allowed(&limiter, "[2001:db8::1]:1", tries: 2, at: self.start) == 2)
        #expect(self.allowed(&limiter, "[2001:db8::ffff:1]:1", tries: 2, at: self.start) == 0)
        #expect(self.allowed(&limiter, "[2001:db8:0:1::1]:1", tries: 2, at: self.start) == 2)
    }

    @Test("remembers no more than it may, and forgets who has been quiet")
    func bound() {
        var limiter = STUNRateLimiter(requestsPerSecond: 5, burstCount: 1, maximumCount: 100)
        for host in 1...150 { _ = limiter.allows(address("192.0.2.\(host):1"), now: self.start) }
        #expect(limiter.count == 100)
        #expect(!self.allows(&limiter, "198.51.100.1:1", at: self.start))
        #expect(self.allows(&limiter, "198.51.100.1:1", at: self.start + .milliseconds(300)))
        #expect(limiter.count == 1)
    }

    @Test("takes any configuration")
    func extremes() {
        for rate in [0, -1, .infinity, .nan, .leastNonzeroMagnitude, 1e300] as [Double] {
            var limiter = STUNRateLimiter(requestsPerSecond: rate, burstCount: -1, maximumCount: 0)
            #expect(self.allows(&limiter, "192.0.2.1:1", at: self.start))
        }
    }
}
