import Testing

@testable import DIGSTUN

@Suite("STUN retransmission")
struct STUNTransactionStateMachineTests {
    private let start = ContinuousClock.now

    /// When it sends, and when it gives up.
    private func times(_ retransmission: STUNRetransmission) -> (sends: [Duration], end: Duration?) {
        var machine = STUNTransactionStateMachine(retransmission, now: self.start)
        var sends: [Duration] = []
        while let deadline = machine.deadline, sends.count < 100 {
            // Early calls do nothing.
            #expect(machine.deadlineReached(now: deadline - .nanoseconds(1)) == .none)
            switch machine.deadlineReached(now: deadline) {
            case .send: sends.append(deadline - self.start)
            case .giveUp: return (sends, deadline - self.start)
            case .none: return (sends, nil)
            }
        }
        return (sends, nil)
    }

    @Test("sends at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s and gives up after 39.5 s (RFC 8489 §6.2.1)")
    func standard() {
        let (sends, end) = self.times(STUNRetransmission())
        #expect(sends == [0, 500, 1500, 3500, 7500, 15500, 31500].map { .milliseconds($0) })
        #expect(end == .milliseconds(39_500))
    }

    @Test("probes give up after 4.4 s")
    func probe() {
        let (sends, end) = self.times(.probe)
        #expect(sends == [0, 400, 1200, 2800].map { .milliseconds($0) })
        #expect(end == .milliseconds(4400))
    }

    @Test("a configuration without sense sends once and ends")
    func extremes() {
        var retransmission = STUNRetransmission()
        retransmission.transmissionCount = -3
        retransmission.finalTimeoutFactor = 0
        let (sends, end) = self.times(retransmission)
        #expect(sends == [.zero])
        #expect(end == .milliseconds(500))
        retransmission.transmissionCount = 90
        #expect(self.times(retransmission).sends.count == 90)
    }

    @Test("is silent after the end, and a late call does not make up for the missed ones")
    func late() {
        var machine = STUNTransactionStateMachine(.probe, now: self.start)
        #expect(machine.deadlineReached(now: self.start + .seconds(100)) == .send)
        #expect(machine.deadlineReached(now: self.start + .seconds(100)) == .none)
        #expect(machine.deadline == self.start + .milliseconds(100_400))
        var now = self.start + .seconds(100)
        for _ in 0..<4 {
            now += .seconds(100)
            _ = machine.deadlineReached(now: now)
        }
        #expect(machine.deadline == nil)
        #expect(machine.deadlineReached(now: now + .seconds(1)) == .none)
    }
}
