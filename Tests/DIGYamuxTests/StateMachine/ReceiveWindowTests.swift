import NIOCore
import Testing

@testable import DIGYamux

@Suite("Yamux receive window")
struct ReceiveWindowTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private let maximum: UInt32 = 16 * 1024 * 1024

    @Test("credits the peer once half the window is read")
    func half() {
        var window = ReceiveWindow(now: self.start)
        var allowance = 0
        #expect(window.received(262_144) == true)
        #expect(window.received(1) == false)
        #expect(window.read(131_071, now: self.start, roundTrip: nil, maximum: self.maximum, growthAllowance: &allowance) == nil)
        #expect(window.read(1, now: self.start, roundTrip: nil, maximum: self.maximum, growthAllowance: &allowance) == 131_072)
        #expect(window.credit == 131_072 && window.buffered == 131_072)
    }

    @Test("doubles while the peer uses it up within four round trips, up to the maximum")
    func growth() {
        var window = ReceiveWindow(now: self.start)
        var allowance = Int.max
        var now = self.start
        while window.target < self.maximum {
            let before = window.target
            now = now + .milliseconds(399)
            let count = window.credit
            #expect(window.received(count) == true)
            #expect(window.read(count, now: now, roundTrip: .milliseconds(100), maximum: self.maximum, growthAllowance: &allowance) != nil)
            #expect(window.target == before * 2)
            #expect(window.credit == window.target)
        }
        #expect(window.received(window.credit) == true)
        _ = window.read(self.maximum, now: now, roundTrip: .milliseconds(100), maximum: self.maximum, growthAllowance: &allowance)
        #expect(window.target == self.maximum)
    }

    @Test("stays when the peer is slow, the round trip unknown or the budget spent")
    func noGrowth() {
        for (elapsed, roundTrip, budget) in [
            (TimeAmount.milliseconds(400), TimeAmount.milliseconds(100), 1 << 30), (.milliseconds(1), nil, 1 << 30),
            (.milliseconds(1), .milliseconds(100), 262_143),
        ] as [(TimeAmount, TimeAmount?, Int)] {
            var window = ReceiveWindow(now: self.start)
            var allowance = budget
            #expect(window.received(200_000) == true)
            #expect(
                window.read(
                    200_000, now: self.start + elapsed, roundTrip: roundTrip, maximum: self.maximum, growthAllowance: &allowance)
                    == 200_000)
            #expect(window.growth == 0 && allowance == budget)
        }
    }
}

@Suite("Yamux glitch budget")
struct GlitchBudgetTests {
    @Test("allows a burst and then so many a second")
    func budget() {
        var now = NIODeadline.uptimeNanoseconds(0)
        var budget = GlitchBudget(burst: 10, perSecond: 5, now: now)
        for _ in 0..<10 { #expect(budget.spend(now: now) == true) }
        #expect(budget.spend(now: now) == false)
        now = now + .seconds(1)
        for _ in 0..<5 { #expect(budget.spend(now: now) == true) }
        #expect(budget.spend(now: now) == false)
        now = now + .hours(100_000)
        for _ in 0..<10 { #expect(budget.spend(now: now) == true) }
        #expect(budget.spend(now: now) == false)
    }
}
