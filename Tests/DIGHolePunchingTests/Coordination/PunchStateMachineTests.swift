import DIGMultiformats
import Testing

@testable import DIGHolePunching

private struct Refused: Error {}

@Suite("Punch coordination")
struct PunchStateMachineTests {
    private let start = ContinuousClock.now
    private let own: [Multiaddr]
    private let theirs: [Multiaddr]

    init() throws {
        self.own = [try Multiaddr("/ip4/1.1.1.1/tcp/4001")]
        self.theirs = [try Multiaddr("/ip4/9.9.9.9/tcp/4001")]
    }

    private func settings(
        mapping: LocalPunchability.Mapping = .unknown, _ configure: (inout HolePunchingConfiguration) -> Void = { _ in }
    ) -> PunchSettings {
        var configuration = HolePunchingConfiguration()
        configure(&configuration)
        return PunchSettings(configuration, mapping: mapping)
    }

    private func initiator(_ settings: PunchSettings? = nil, addresses: [Multiaddr]? = nil) -> PunchInitiatorStateMachine {
        PunchInitiatorStateMachine(settings: settings ?? self.settings(), addresses: addresses ?? self.own, now: self.start) { $0 }
    }

    private func responder(_ settings: PunchSettings? = nil, addresses: [Multiaddr]? = nil) -> PunchResponderStateMachine {
        PunchResponderStateMachine(settings: settings ?? self.settings(), addresses: addresses ?? self.theirs, now: self.start) { $0 }
    }

    // MARK: Initiator

    @Test("the initiator dials half the measured round trip after SYNC (DCUtR, step 4 and 5)")
    func initiates() {
        var machine = self.initiator()
        #expect(machine.started(now: self.start) == .send(.connect(self.own)))
        let answered = self.start + .milliseconds(80)
        #expect(machine.received(.connect(self.theirs), now: answered) == .send(.sync))
        #expect(machine.deadline == answered + .milliseconds(40))
        #expect(machine.deadlineReached(now: answered + .milliseconds(39)) == .none)
        #expect(machine.deadlineReached(now: answered + .milliseconds(40)) == .dial(self.theirs, roundTrip: .milliseconds(80)))
        machine.dialSucceeded()
        #expect(machine.deadline == nil)
        #expect(machine.received(.sync, now: answered) == .none)
        #expect(machine.signalingEnded(because: Refused()) == .none)
    }

    @Test("three attempts on one conversation, each measured anew; then all are named (DCUtR, step 6)")
    func attempts() {
        var machine = self.initiator()
        var now = self.start
        var action = machine.started(now: now)
        for attempt in 1...3 {
            #expect(action == .send(.connect(self.own)))
            now += .milliseconds(20 * attempt)
            #expect(machine.received(.connect(self.theirs), now: now) == .send(.sync))
            now += .milliseconds(10 * attempt)
            #expect(machine.deadlineReached(now: now) == .dial(self.theirs, roundTrip: .milliseconds(20 * attempt)))
            #expect(machine.dialFailed(attempt - 1, because: Refused(), now: now) == .none)
            action = machine.dialFailed(attempt, because: Refused(), now: now)
        }
        guard case .fail(let error) = action else { return #expect(Bool(false)) }
        #expect(error.code == .allAttemptsFailed)
        #expect(error.attempts.map(\.method) == [.tcpHolePunch, .tcpSimultaneousOpen, .tcpSimultaneousOpen])
        #expect(error.attempts.map(\.number) == [1, 2, 3])
        #expect(machine.deadline == nil)
    }

    @Test("a dial that does not end is ended, shortly after it should have")
    func silentDial() {
        var machine = self.initiator()
        _ = machine.started(now: self.start)
        _ = machine.received(.connect(self.theirs), now: self.start)
        _ = machine.deadlineReached(now: self.start)
        #expect(machine.deadline == self.start + .milliseconds(5500))
        #expect(machine.deadlineReached(now: self.start + .milliseconds(5500)) == .send(.connect(self.own)))
        #expect(machine.failures.count == 1)
    }

    @Test("behind a NAT with another port for each destination one attempt is made, and the reason given (mapping not reusable)")
    func mapping() {
        var machine = self.initiator(self.settings(mapping: .endpointDependent))
        _ = machine.started(now: self.start)
        _ = machine.received(.connect(self.theirs), now: self.start)
        _ = machine.deadlineReached(now: self.start)
        #expect(machine.deadline == self.start + .seconds(3.5))
        let action = machine.dialFailed(1, because: Refused(), now: self.start + .seconds(3))
        guard case .fail(let error) = action else { return #expect(Bool(false)) }
        #expect(error.code == .mappingNotReusable)
        #expect(error.description.contains("mapping not reusable"))

        var other = self.responder(self.settings(mapping: .endpointDependent))
        _ = other.received(.connect(self.own), now: self.start)
        _ = other.received(.sync, now: self.start)
        // The peer may ask for more, which would not help.
        #expect(other.dialFailed(1, because: Refused(), now: self.start) == .fail(HolePunchError(.mappingNotReusable, "")))
    }

    @Test("the initiator waits a while for an address of its own, and gives up without one")
    func ownAddress() {
        var late = self.initiator(addresses: [])
        #expect(late.started(now: self.start) == .none)
        #expect(late.deadline == self.start + .seconds(4))
        #expect(late.ownAddressesChanged([], now: self.start + .seconds(1)) == .none)
        #expect(late.ownAddressesChanged(self.own, now: self.start + .seconds(2)) == .send(.connect(self.own)))
        // The next attempt names what is known by then.
        #expect(late.ownAddressesChanged(self.own + self.theirs, now: self.start + .seconds(3)) == .none)
        #expect(late.deadlineReached(now: self.start + .seconds(12)) == .send(.connect(self.own + self.theirs)))

        var never = self.initiator(addresses: [])
        _ = never.started(now: self.start)
        #expect(never.deadlineReached(now: self.start + .seconds(4)) == .fail(HolePunchError(.noOwnAddress, "")))
        #expect(never.ownAddressesChanged(self.own, now: self.start + .seconds(5)) == .none)

        var impatient = self.initiator(self.settings { $0.ownAddressTimeout = .zero }, addresses: [])
        #expect(impatient.started(now: self.start) == .fail(HolePunchError(.noOwnAddress, "")))
    }

    @Test("the responder answers when it knows an address of its own, and gives up without one")
    func ownAddressOfResponder() {
        var late = self.responder(addresses: [])
        #expect(late.received(.connect(self.own), now: self.start) == .none)
        #expect(late.deadline == self.start + .seconds(4))
        // The peer asks again: it is the same wait, and the newest addresses count.
        #expect(late.received(.connect(self.theirs), now: self.start + .seconds(1)) == .none)
        #expect(late.deadline == self.start + .seconds(4))
        #expect(late.ownAddressesChanged(self.own, now: self.start + .seconds(2)) == .send(.connect(self.own)))
        #expect(late.received(.sync, now: self.start + .seconds(2)) == .dial(self.theirs, roundTrip: .zero))
        #expect(late.attempt == 1)

        var never = self.responder(addresses: [])
        _ = never.received(.connect(self.own), now: self.start)
        #expect(never.deadlineReached(now: self.start + .seconds(4)) == .fail(HolePunchError(.noOwnAddress, "")))

        var early = self.responder(addresses: [])
        _ = early.received(.connect(self.own), now: self.start)
        #expect(early.received(.sync, now: self.start) == .fail(HolePunchError(.protocolViolation, "")))

        var left = self.responder(addresses: [])
        _ = left.received(.connect(self.own), now: self.start)
        #expect(left.signalingEnded(because: Refused()) == .fail(HolePunchError(.signalingFailed, "")))
    }

    @Test("where no method is allowed, that is said, on either side")
    func notAllowed() {
        let settings = self.settings { $0.methods = [] }
        var machine = self.initiator(settings, addresses: [])
        #expect(machine.started(now: self.start) == .fail(HolePunchError(.notAllowed, "")))
        var other = self.responder(settings)
        #expect(other.received(.connect(self.own), now: self.start) == .fail(HolePunchError(.notAllowed, "")))
    }

    @Test("the budget ends everything, in every state")
    func budget() {
        let settings = self.settings { $0.budget = .seconds(2) }
        let end = self.start + .seconds(2)
        var waiting = self.initiator(settings)
        _ = waiting.started(now: self.start)
        #expect(waiting.deadline == end)
        #expect(waiting.deadlineReached(now: end) == .fail(HolePunchError(.timedOut, "")))
        var slow = self.initiator(settings)
        _ = slow.started(now: self.start)
        _ = slow.received(.connect(self.theirs), now: self.start + .seconds(1.9))
        #expect(slow.deadline == end)
        #expect(slow.deadlineReached(now: end) == .fail(HolePunchError(.timedOut, "")))
        var dialing = self.responder(settings)
        _ = dialing.received(.connect(self.own), now: self.start)
        _ = dialing.received(.sync, now: self.start)
        #expect(dialing.deadline == end)
        #expect(dialing.deadlineReached(now: end) == .fail(HolePunchError(.timedOut, "")))
    }

    @Test("what the peer may not say ends the punch")
    func violations() {
        var early = self.initiator()
        _ = early.started(now: self.start)
        #expect(early.received(.sync, now: self.start) == .fail(HolePunchError(.protocolViolation, "")))
        #expect(early.received(.connect(self.theirs), now: self.start) == .none)

        var twice = self.initiator()
        _ = twice.started(now: self.start)
        _ = twice.received(.connect(self.theirs), now: self.start + .seconds(1))
        #expect(twice.received(.connect(self.theirs), now: self.start + .seconds(1)) == .fail(HolePunchError(.protocolViolation, "")))

        var unasked = self.responder()
        #expect(unasked.received(.sync, now: self.start) == .fail(HolePunchError(.protocolViolation, "")))

        var again = self.responder()
        _ = again.received(.connect(self.own), now: self.start)
        _ = again.received(.sync, now: self.start)
        #expect(again.received(.sync, now: self.start) == .fail(HolePunchError(.protocolViolation, "")))
    }

    @Test("without an address on either side nothing is begun")
    func noAddress() {
        var blind = self.initiator(addresses: [])
        #expect(blind.started(now: self.start) == .none)
        #expect(blind.deadlineReached(now: self.start + .seconds(4)) == .fail(HolePunchError(.noOwnAddress, "")))
        var refusing = PunchInitiatorStateMachine(settings: self.settings(), addresses: self.own, now: self.start) { _ in [] }
        _ = refusing.started(now: self.start)
        #expect(refusing.received(.connect(self.theirs), now: self.start) == .fail(HolePunchError(.noUsableAddress, "")))
        var guarded = PunchResponderStateMachine(settings: self.settings(), addresses: self.theirs, now: self.start) { _ in [] }
        #expect(guarded.received(.connect(self.own), now: self.start) == .fail(HolePunchError(.noUsableAddress, "")))
        #expect(guarded.deadline == nil)
    }

    @Test("a conversation that breaks while both dial does not end the dial")
    func brokenConversation() {
        var machine = self.initiator()
        _ = machine.started(now: self.start)
        _ = machine.received(.connect(self.theirs), now: self.start)
        #expect(machine.signalingEnded(because: Refused()) == .none)
        #expect(machine.deadlineReached(now: self.start) == .dial(self.theirs, roundTrip: .zero))
        #expect(machine.dialFailed(1, because: Refused(), now: self.start) == .fail(HolePunchError(.signalingFailed, "")))
        var waiting = self.initiator()
        _ = waiting.started(now: self.start)
        #expect(waiting.signalingEnded(because: Refused()) == .fail(HolePunchError(.signalingFailed, "")))
    }

    // MARK: Responder

    @Test("the responder answers, dials at once when told, and again for each attempt, but not for a fourth")
    func responds() {
        var machine = self.responder()
        var now = self.start
        for attempt in 1...3 {
            #expect(machine.received(.connect(self.own), now: now) == .send(.connect(self.theirs)))
            now += .milliseconds(60)
            #expect(machine.received(.sync, now: now) == .dial(self.own, roundTrip: .milliseconds(60)))
            // The peer may be the first to give up.
            if attempt == 2 { #expect(machine.dialFailed(2, because: Refused(), now: now) == .none) }
        }
        #expect(machine.received(.connect(self.own), now: now) == .fail(HolePunchError(.allAttemptsFailed, "")))
    }

    @Test("others close the stream after SYNC and open another for the next attempt: the dial goes on")
    func streamForEachAttempt() {
        var machine = self.responder()
        _ = machine.received(.connect(self.own), now: self.start)
        _ = machine.received(.sync, now: self.start)
        #expect(machine.signalingEnded(because: Refused()) == .none)
        #expect(machine.dialFailed(1, because: Refused(), now: self.start) == .fail(HolePunchError(.allAttemptsFailed, "")))
    }

    @Test("a peer that falls silent is given up")
    func silentPeer() {
        var silent = self.responder()
        #expect(silent.deadline == self.start + .seconds(15))
        #expect(silent.deadlineReached(now: self.start + .seconds(15)) == .fail(HolePunchError(.timedOut, "")))
        var half = self.responder()
        _ = half.received(.connect(self.own), now: self.start)
        #expect(half.deadlineReached(now: self.start + .seconds(15)) == .fail(HolePunchError(.timedOut, "")))
        var done = self.responder()
        _ = done.received(.connect(self.own), now: self.start)
        _ = done.received(.sync, now: self.start)
        _ = done.dialFailed(1, because: Refused(), now: self.start + .seconds(1))
        #expect(done.deadline == self.start + .seconds(16))
        #expect(done.deadlineReached(now: self.start + .seconds(16)) == .fail(HolePunchError(.allAttemptsFailed, "")))
    }

    // MARK: Both

    @Test("both ends dial at the same moment, whatever the delay", arguments: [0, 1, 40, 250, 900])
    func simultaneous(oneWayMilliseconds: Int) {
        var link = Link(delay: .milliseconds(oneWayMilliseconds), start: self.start)
        var (b, a) = (self.initiator(), self.responder())
        link.run(&b, &a)
        #expect(link.dials.count == 2)
        #expect(link.dials.first?.1 == link.dials.last?.1)
        #expect(link.dials.first?.1 == self.start + .milliseconds(3 * oneWayMilliseconds))
    }

    @Test("messages that are lost cost an attempt each, no more", arguments: 0..<6)
    func loss(lost: Int) {
        var link = Link(delay: .milliseconds(40), start: self.start)
        link.lost = [lost]
        var (b, a) = (self.initiator(), self.responder())
        link.run(&b, &a)
        // SYNC lost: the initiator dials alone, in vain, and begins anew.
        #expect(link.dials.count >= 2)
        #expect(link.dials.suffix(2).first?.1 == link.dials.last?.1)
    }
}

/// Two machines and a link with a delay, in virtual time. A dial fails unless both ends dial at the same time.
private struct Link {
    enum Side { case initiator, responder }

    var delay: Duration
    var lost: Set<Int> = []
    private var now: ContinuousClock.Instant
    private var sentCount = 0
    private var inFlight: [(at: ContinuousClock.Instant, to: Side, PunchMessage)] = []
    private(set) var dials: [(Side, ContinuousClock.Instant)] = []
    private var dialing: [(Side, Int, until: ContinuousClock.Instant)] = []

    init(delay: Duration, start: ContinuousClock.Instant) {
        self.delay = delay
        self.now = start
    }

    mutating func run(_ b: inout PunchInitiatorStateMachine, _ a: inout PunchResponderStateMachine) {
        self.perform(b.started(now: self.now), of: .initiator, attempt: b.attempt)
        while true {
            if self.dialing.count == 2 {
                b.dialSucceeded()
                a.dialSucceeded()
                return
            }
            let times = self.inFlight.map(\.at) + self.dialing.map(\.until) + [b.deadline, a.deadline].compactMap { $0 }
            guard let next = times.min() else { return }
            self.now = max(self.now, next)
            if let index = self.inFlight.firstIndex(where: { $0.at <= self.now }) {
                let (_, side, message) = self.inFlight.remove(at: index)
                switch side {
                case .initiator: self.perform(b.received(message, now: self.now), of: .initiator, attempt: b.attempt)
                case .responder: self.perform(a.received(message, now: self.now), of: .responder, attempt: a.attempt)
                }
            } else if let index = self.dialing.firstIndex(where: { $0.until <= self.now }) {
                let (side, attempt, _) = self.dialing.remove(at: index)
                switch side {
                case .initiator: self.perform(b.dialFailed(attempt, because: Refused(), now: self.now), of: .initiator, attempt: b.attempt)
                case .responder: self.perform(a.dialFailed(attempt, because: Refused(), now: self.now), of: .responder, attempt: a.attempt)
                }
            } else {
                self.perform(b.deadlineReached(now: self.now), of: .initiator, attempt: b.attempt)
                self.perform(a.deadlineReached(now: self.now), of: .responder, attempt: a.attempt)
            }
        }
    }

    private mutating func perform(_ action: PunchAction, of side: Side, attempt: Int) {
        switch action {
        case .send(let message):
            self.dialing.removeAll { $0.0 == side }
            if !self.lost.contains(self.sentCount) {
                self.inFlight.append((self.now + self.delay, side == .initiator ? .responder : .initiator, message))
            }
            self.sentCount += 1
        case .dial:
            self.dials.append((side, self.now))
            self.dialing.append((side, attempt, self.now + .seconds(5)))
        case .fail, .none:
            break
        }
    }
}
