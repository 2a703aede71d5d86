import NIOCore
import Testing

@testable import DIGTransfer

@Suite("news budget")
struct NewsBudgetTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    @Test("a burst, then so much a second, and never more than a burst at once")
    func rate() {
        var budget = NewsBudget(now: self.start)
        var spent = 0
        while budget.spend(1, now: self.start) { spent += 1 }
        #expect(spent == NewsBudget.burst)
        for _ in 0..<NewsBudget.perSecond {
            let isAllowed = budget.spend(1, now: self.start + .seconds(1))
            #expect(isAllowed)
        }
        let isTooMuch = !budget.spend(1, now: self.start + .seconds(1))
        #expect(isTooMuch)
        let later = self.start + .hours(1000)
        let isBurst = budget.spend(NewsBudget.burst, now: later)
        let isMore = budget.spend(1, now: later)
        #expect(isBurst)
        #expect(!isMore)
    }
}
