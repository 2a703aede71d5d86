import DIGCommandLine
import Testing

@Suite("Rate estimator")
struct RateEstimatorTests {
    let start = ContinuousClock.now

    @Test("says nothing before half a second, then follows the last three seconds")
    func follows() throws {
        var estimator = RateEstimator()
        estimator.record(1_000_000, at: self.start)  // what a resumed transfer had is no rate
        #expect(estimator.rate(at: self.start) == nil)
        for tenth in 1...100 { estimator.record(1_000_000 + UInt64(tenth) * 100, at: self.start + .milliseconds(100 * tenth)) }
        #expect(try #require(estimator.rate(at: self.start + .seconds(10))).rounded() == 1000)
        for tenth in 101...140 { estimator.record(1_010_000 + UInt64(tenth - 100) * 1000, at: self.start + .milliseconds(100 * tenth)) }
        #expect(try #require(estimator.rate(at: self.start + .seconds(14))).rounded() == 10_000)
    }

    @Test("falls to zero when nothing arrives")
    func stall() throws {
        var estimator = RateEstimator()
        for second in 0...10 { estimator.record(UInt64(second) * 1000, at: self.start + .seconds(second)) }
        estimator.record(10_000, at: self.start + .seconds(14))
        #expect(estimator.rate(at: self.start + .seconds(14)) == 0)
        #expect(estimator.timeLeft(until: 20_000, at: self.start + .seconds(14)) == nil, "what came before says nothing of when it goes on")
        estimator.record(10_000, at: self.start + .seconds(60))
        estimator.record(10_000, at: self.start + .seconds(90))
        #expect(estimator.timeLeft(until: 20_000, at: self.start + .seconds(90)) == nil)
    }

    @Test("tells the time left, zero at the end, and bounds it")
    func timeLeft() {
        var estimator = RateEstimator()
        for second in 0...10 { estimator.record(UInt64(second) * 1000, at: self.start + .seconds(second)) }
        let now = self.start + .seconds(10)
        #expect(estimator.timeLeft(until: 15_000, at: now) == .seconds(5))
        #expect(estimator.timeLeft(until: 10_000, at: now) == .zero)
        #expect(estimator.timeLeft(until: .max, at: now) == .seconds(1e9))
    }

    @Test("starts again when the count or the clock goes back")
    func restart() {
        var estimator = RateEstimator()
        for second in 0...10 { estimator.record(UInt64(second) * 1000, at: self.start + .seconds(second)) }
        estimator.record(5, at: self.start + .seconds(11))
        #expect(estimator.rate(at: self.start + .seconds(11)) == nil)
        estimator.record(6, at: self.start)
        #expect(estimator.rate(at: self.start) == nil)
    }

    @Test("the time left is not guessed from what came before a halt")
    func halted() {
        var estimator = RateEstimator()
        let start = ContinuousClock.now
        for second in 0...5 { estimator.record(UInt64(second) * 1000, at: start + .seconds(second)) }
        #expect(estimator.timeLeft(until: 10_000, at: start + .seconds(5)) == .seconds(5))
        for second in 6...9 { estimator.record(5000, at: start + .seconds(second)) }
        #expect(estimator.timeLeft(until: 10_000, at: start + .seconds(9)) == nil)
        estimator.record(7000, at: start + .seconds(10))
        #expect(estimator.timeLeft(until: 10_000, at: start + .seconds(10)) != nil)
    }
}
