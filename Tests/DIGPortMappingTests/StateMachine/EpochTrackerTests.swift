@testable import DIGPortMapping
import Testing

@Suite("Epochs")
struct EpochTrackerTests {
    let start = ContinuousClock.Instant.now

    func restarts(_ tracker: EpochTracker, _ steps: (epoch: UInt32, after: Int)...) -> [Bool] {
        var tracker = tracker
        var now = self.start
        return steps.map { step in
            now += .seconds(step.after)
            return tracker.received(step.epoch, now: now)
        }
    }

    @Test("NAT-PMP: seven eighths of the time and two seconds (RFC 6886 §3.6)")
    func natpmp() {
        #expect(self.restarts(.natpmp(), (100, 0), (180, 80)) == [false, false])
        #expect(self.restarts(.natpmp(), (100, 0), (168, 80)) == [false, false])
        #expect(self.restarts(.natpmp(), (100, 0), (167, 80)) == [false, true])
        #expect(self.restarts(.natpmp(), (100, 0), (3, 10), (13, 10)) == [false, true, false])
        // Faster than our clock is allowed here.
        #expect(self.restarts(.natpmp(), (100, 0), (.max, 1)) == [false, false])
    }

    @Test("PCP: not back, and in step to a sixteenth and two seconds (RFC 6887 §8.5)")
    func pcp() {
        #expect(self.restarts(.pcp(), (100, 0), (99, 0)) == [false, false])
        #expect(self.restarts(.pcp(), (100, 0), (98, 0)) == [false, true])
        #expect(self.restarts(.pcp(), (100, 0), (260, 160)) == [false, false])
        #expect(self.restarts(.pcp(), (100, 0), (248, 160)) == [false, false])
        #expect(self.restarts(.pcp(), (100, 0), (247, 160)) == [false, true])
        #expect(self.restarts(.pcp(), (100, 0), (280, 160)) == [false, true])
        #expect(self.restarts(.pcp(), (100, 0), (.max, 1), (1, 1)) == [false, true, true])
    }
}
