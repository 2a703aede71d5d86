import DIGNet
import Testing

@Suite("A token bucket")
struct TokenBucketTests {
    let now = ContinuousClock.now

    @Test("gives its burst at once and its rate afterwards")
    func bucket() {
        var bucket = TokenBucket(rate: 2, burst: 5, now: self.now)
        for _ in 0..<5 { #expect(bucket.take(now: self.now) == true) }
        #expect(bucket.take(now: self.now) == false)
        #expect(bucket.isFull(now: self.now + .seconds(2)) == false)
        #expect(bucket.take(4, now: self.now + .seconds(2)) == true)
        #expect(bucket.take(now: self.now + .seconds(1)) == false)
        #expect(bucket.isFull(now: self.now + .seconds(10)) == true)
    }

    @Test("a rate below zero gives nothing back, and a burst below one is one")
    func extremes() {
        var bucket = TokenBucket(rate: -1, burst: -5, now: self.now)
        #expect(bucket.has(now: self.now) == true)
        #expect(bucket.take(now: self.now) == true)
        #expect(bucket.has(now: self.now + .seconds(3600)) == false)
    }
}
