import DIGTestSupport
import NIOCore
import Testing

@testable import DIGTransfer

@Suite("rate limits")
struct RateLimitTests {
    static func at(_ milliseconds: Int64) -> NIODeadline { .uptimeNanoseconds(1_000_000_000_000) + .milliseconds(milliseconds) }

    @Test("let a burst through at once and space the rest")
    func burst() {
        var bucket = ByteBucket(bytesPerSecond: 1000, burstByteCount: 500)
        #expect(bucket.availableByteCount(now: Self.at(0)) == 500)
        for _ in 0..<6 {
            let at1 = bucket.reserve(100, now: Self.at(0))
            #expect(at1 == Self.at(0))
        }
        #expect(bucket.availableByteCount(now: Self.at(0)) == 0)
        let at2 = bucket.reserve(100, now: Self.at(0))
        #expect(at2 == Self.at(100))
        let at3 = bucket.reserve(100, now: Self.at(0))
        #expect(at3 == Self.at(200))
        #expect(bucket.readyAt(now: Self.at(250)) == Self.at(300))
        #expect(bucket.availableByteCount(now: Self.at(2000)) == 500)
    }

    @Test("hold over any span: rate × time + burst + one unit")
    func sustained() {
        var random = SeededGenerator(seed: 11)
        var bucket = ByteBucket(bytesPerSecond: 50_000, burstByteCount: 10_000)
        var sent: [(at: NIODeadline, count: Int)] = []
        var now = Self.at(0)
        for _ in 0..<2000 {
            let count = Int.random(in: 1...20_000, using: &random)
            let readyAt = bucket.reserve(count, now: now)
            #expect(readyAt >= now)
            sent.append((readyAt, count))
            now = max(now, readyAt) + .milliseconds(Int64.random(in: 0...300, using: &random))
        }
        for start in stride(from: 0, to: sent.count, by: 37) {
            var total = 0
            for entry in sent[start...] {
                total += entry.count
                let seconds = Double((entry.at - sent[start].at).nanoseconds) / 1e9
                #expect(Double(total) <= 50_000 * seconds + 10_000 + 20_000 + 1)
            }
        }
    }

    @Test("are used in full by someone who always has something to send")
    func fullUse() {
        var bucket = ByteBucket(bytesPerSecond: 1_000_000)
        var now = Self.at(0)
        var total = 0
        while now < Self.at(10_000) {
            now = bucket.reserve(65_536, now: now)
            total += 65_536
        }
        #expect(abs(Double(total) / 10_000_000 - 1) < 0.05)
    }

    @Test("let a unit above the burst go whole, and make it pay")
    func largeUnit() {
        var bucket = ByteBucket(bytesPerSecond: 1000, burstByteCount: 0)
        let at4 = bucket.reserve(1_000_000, now: Self.at(0))
        #expect(at4 == Self.at(0))
        let at5 = bucket.reserve(1, now: Self.at(0))
        #expect(at5 == Self.at(1_000_000))
        bucket.refund(1_000_000)
        let at6 = bucket.reserve(1, now: Self.at(10))
        #expect(at6 == Self.at(10))
    }

    @Test("survive absurd values")
    func extremes() {
        var bucket = ByteBucket(bytesPerSecond: 0, burstByteCount: -1)
        for _ in 0..<100 { _ = bucket.reserve(.max, now: .distantFuture) }
        _ = bucket.reserve(.min, now: .uptimeNanoseconds(0))
        _ = bucket.availableByteCount(now: .uptimeNanoseconds(0))
        _ = bucket.readyAt(now: .now())
        bucket.refund(.max)
        var fast = ByteBucket(bytesPerSecond: .max)
        let at7 = fast.reserve(.max, now: Self.at(0))
        #expect(at7 == Self.at(0))
    }

    @Test("compose: the slower of transfer and node counts, and both pay")
    func composed() {
        let node = RateLimiter(bytesPerSecond: 1000, burstByteCount: 0)
        let slow = RateLimiter(bytesPerSecond: 100, burstByteCount: 0, parent: node)
        let free = RateLimiter(parent: node)
        #expect(slow.reserve(100, now: Self.at(0)) == Self.at(0))
        #expect(free.reserve(100, now: Self.at(0)) == Self.at(100))
        #expect(slow.reserve(100, now: Self.at(200)) == Self.at(1000))
        #expect(free.availableByteCount(now: Self.at(200)) == 0)
    }

    @Test("can be set and lifted while in use")
    func settable() {
        let limiter = RateLimiter()
        #expect(limiter.reserve(.max, now: Self.at(0)) == Self.at(0))
        #expect(limiter.availableByteCount(now: Self.at(0)) == nil)
        limiter.setRate(bytesPerSecond: 1000, burstByteCount: 0, now: Self.at(0))
        #expect(limiter.bytesPerSecond == 1000)
        #expect(limiter.reserve(1000, now: Self.at(0)) == Self.at(0))
        #expect(limiter.readyAt(now: Self.at(0)) == Self.at(1000))
        // What is owed is owed, and paid faster.
        limiter.setRate(bytesPerSecond: 10_000, burstByteCount: 0, now: Self.at(0))
        #expect(limiter.readyAt(now: Self.at(0)) == Self.at(100))
        limiter.setRate(bytesPerSecond: nil)
        #expect(limiter.readyAt(now: Self.at(0)) == Self.at(0))
    }

    @Test("a measured rate follows and forgets")
    func decaying() {
        var rate = DecayingRate()
        for tick in 0..<300 { rate.record(10_000, now: Self.at(Int64(tick) * 100)) }
        #expect(abs(rate.bytesPerSecond(now: Self.at(29_900)) - 100_000) < 5000)
        #expect(rate.bytesPerSecond(now: Self.at(60_000)) < 10)
        #expect(rate.byteCount == 3_000_000)
    }
}
