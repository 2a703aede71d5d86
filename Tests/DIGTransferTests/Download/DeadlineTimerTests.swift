import NIOCore
import NIOEmbedded
import Testing

@testable import DIGTransfer

@Suite("timer of a moving deadline")
struct DeadlineTimerTests {
    /// A timer whose owner looks at the deadline when it fires, as a download does.
    private final class Owner: @unchecked Sendable {
        // `@unchecked Sendable`: the embedded loop runs everything on the test's thread.
        let loop = EmbeddedEventLoop()
        let start = ContinuousClock.now
        var elapsed: Duration = .zero
        var timer = DeadlineTimer()
        var deadline: Duration?
        var looks: [Duration] = []
        var reached: [Duration] = []

        func set(_ deadline: Duration?) {
            self.deadline = deadline
            self.timer.set(deadline.map { self.start + $0 }, on: self.loop, now: self.start + self.elapsed) {
                self.timer.fire()
                self.looks.append(self.elapsed)
                guard let deadline = self.deadline else { return }
                if self.elapsed >= deadline {
                    self.reached.append(self.elapsed)
                    self.deadline = nil
                }
                self.set(self.deadline)
            }
        }

        func advance(to elapsed: Duration) {
            while self.elapsed < elapsed {
                self.elapsed += .milliseconds(1)
                self.loop.advanceTime(by: .milliseconds(1))
            }
        }
    }

    @Test("fires at its deadline, once")
    func once() {
        let owner = Owner()
        owner.set(.milliseconds(50))
        owner.advance(to: .milliseconds(200))
        #expect(owner.reached == [.milliseconds(50)])
        #expect(owner.looks == [.milliseconds(50)])
    }

    @Test("a deadline that moves away costs one look, however often it moves; it is not missed")
    func later() {
        let owner = Owner()
        for milliseconds in 50...150 {
            owner.set(.milliseconds(milliseconds))
            if milliseconds == 100 { owner.advance(to: .milliseconds(20)) }
        }
        owner.advance(to: .milliseconds(300))
        #expect(owner.looks == [.milliseconds(50), .milliseconds(150)])
        #expect(owner.reached == [.milliseconds(150)])
    }

    @Test("a deadline that comes nearer is kept; one that is past fires at once")
    func sooner() {
        let owner = Owner()
        owner.set(.milliseconds(100))
        owner.set(.milliseconds(30))
        owner.advance(to: .milliseconds(40))
        #expect(owner.reached == [.milliseconds(30)])
        owner.set(.milliseconds(10))
        owner.advance(to: .milliseconds(41))
        #expect(owner.reached.count == 2)
    }

    @Test("nothing fires without a deadline, or after it was cancelled")
    func never() {
        let owner = Owner()
        owner.set(.milliseconds(10))
        owner.set(nil)
        owner.advance(to: .milliseconds(20))
        owner.set(.milliseconds(30))
        owner.timer.cancel()
        owner.advance(to: .milliseconds(50))
        #expect(owner.looks.isEmpty)
    }
}
