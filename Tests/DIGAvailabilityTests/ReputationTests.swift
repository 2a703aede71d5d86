import DIGIdentity
import Testing

@testable import DIGAvailability

@Suite("Reputation")
struct ReputationTests {
    let halfLife: Duration = .seconds(86_400)

    private func reputation(_ experiences: [Experience], at time: UInt64 = Scene.now) -> Reputation {
        var reputation = Reputation()
        for experience in experiences { reputation.add(experience, nowMilliseconds: time, halfLife: self.halfLife.millisecondCount) }
        return reputation
    }

    private func score(_ experiences: [Experience], later: UInt64 = 0) -> ReputationScore {
        self.reputation(experiences).score(nowMilliseconds: Scene.now + later, halfLife: self.halfLife)
    }

    @Test("nothing known is one half, and what is seen moves it as Beta(1, 1) does")
    func prior() {
        #expect(self.score([]) == .unknown)
        #expect(self.score([.missing]).success == 1.0 / 3)
        #expect(self.score([.missing, .missing]).success == 0.25)
        #expect(self.score([.transferred(byteCount: 0, over: .zero)]).success == 2.0 / 3)
        #expect(self.score([.corrupt]).quality == 1.0 / 6)
        #expect(self.score([.connected, .connected]).stability == 0.75)
        #expect(self.score([.missing, .missing]).isDoubtful)
        #expect(!self.score([.missing]).isDoubtful)
    }

    @Test("what was a half-life ago counts half, and in the end nothing")
    func decay() {
        #expect(abs(self.score([.missing, .missing], later: 24 * Scene.hour).success - 1.0 / 3) < 1e-9)
        #expect(abs(self.score([.missing, .missing], later: 60 * 24 * Scene.hour).success - 0.5) < 1e-9)
        // A clock that goes back does no harm.
        #expect(self.reputation([.missing]).score(nowMilliseconds: 0, halfLife: self.halfLife).success == 1.0 / 3)
    }

    @Test("the rate is a moving average of transfers long enough")
    func rate() {
        #expect(self.score([.transferred(byteCount: 1_000, over: .seconds(1))]).rate == nil)
        #expect(self.score([.transferred(byteCount: 1 << 20, over: .seconds(1))]).rate == 1_048_576)
        #expect(self.score([.transferred(byteCount: 1 << 20, over: .seconds(1))]).speed == 0.5)
        let two = self.score([.transferred(byteCount: 1 << 20, over: .seconds(1)), .transferred(byteCount: 2 << 20, over: .seconds(1))])
        #expect(two.rate == 1_048_576 * 1.3)
    }

    @Test("a reporter weighs in full until its reports are refuted")
    func credibility() {
        func weight(_ experiences: [Experience]) -> Double { self.reputation(experiences).reportWeight(nowMilliseconds: Scene.now, halfLife: self.halfLife.millisecondCount) }
        #expect(weight([]) == 1)
        #expect(weight([.reportConfirmed, .reportConfirmed]) == 1)
        #expect(weight([.reportRefuted]) == 2.0 / 3)
        #expect(weight([.reportRefuted, .reportRefuted]) == 0.5)
        #expect(weight([.reportRefuted, .reportConfirmed]) == 1)
        // Reports say nothing about what the reporter itself has.
        #expect(self.score([.reportRefuted]) == .unknown)
    }

    @Test("a full table forgets those of whom least is known")
    func bound() {
        var configuration = AvailabilityConfiguration()
        configuration.peerLimit = 16
        var table = ReputationTable(configuration: configuration)
        for _ in 0..<5 { table.add(.missing, of: Scene.peer(0), nowMilliseconds: Scene.now) }
        for number in 1..<200 { table.countReport(of: Scene.peer(number), nowMilliseconds: Scene.now + UInt64(number)) }
        #expect(table.count <= 16)
        #expect(table[Scene.peer(0)] != nil)
    }
}
