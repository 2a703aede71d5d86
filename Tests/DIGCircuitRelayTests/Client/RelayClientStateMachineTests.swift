import DIGIdentity
import DIGMultiformats
import Testing

@testable import DIGCircuitRelay

@Suite("which relays are asked, and when")
struct RelayClientStateMachineTests {
    private typealias Action = RelayClientStateMachine.Action
    private let start = ContinuousClock.now
    private let peers: [PeerID]
    private var configuration = RelayClientConfiguration()

    init() throws {
        self.peers = try (0..<6).map { _ in try KeyPair.generate().peerID }
    }

    private func candidate(_ index: Int, isConfigured: Bool = false) -> RelayCandidate {
        RelayCandidate(peer: self.peers[index], addresses: [], isConfigured: isConfigured)
    }

    private func reservation(_ index: Int, seconds: UInt64 = 3600, port: UInt16 = 1) throws -> Reservation {
        try Reservation(
            ReservationGrant(expirationSeconds: 1000 + seconds, addresses: [], voucher: nil), limit: nil, relay: self.peers[index], peer: self.peers[5],
            knownAddress: Multiaddr(components: [.ip4(.init(192, 0, 2, 1)), .tcp(port)]), isAcceptable: { _ in true }, nowSeconds: 1000)
    }

    private func drain(_ machine: inout RelayClientStateMachine, _ now: ContinuousClock.Instant) -> [Action] {
        var actions: [Action] = []
        while let action = machine.poll(now: now) { actions.append(action) }
        return actions
    }

    @Test("nothing is asked until reservations are wanted; then the configured ones first, two in all")
    func selects() throws {
        var configuration = self.configuration
        configuration.relays = [self.candidate(2, isConfigured: true)]
        var machine = RelayClientStateMachine(configuration)
        machine.added(self.candidate(0))
        machine.added(self.candidate(1))
        #expect(self.drain(&machine, self.start) == [])
        #expect(machine.deadline == nil)
        machine.setWanted(true)
        #expect(self.drain(&machine, self.start) == [.reserve(self.candidate(2, isConfigured: true)), .reserve(self.candidate(0))])
        machine.reserved(try self.reservation(2), now: self.start)
        #expect(self.drain(&machine, self.start) == [.changed])
        machine.reserved(try self.reservation(0), now: self.start)
        #expect(self.drain(&machine, self.start) == [.changed])
        #expect(machine.reservations.map(\.relay) == [self.peers[2], self.peers[0]])
        // Not wanted any more: all are given up.
        machine.setWanted(false)
        let actions = self.drain(&machine, self.start)
        #expect(Set(actions) == [.changed, .release(self.peers[2]), .release(self.peers[0])])
        #expect(machine.reservations.isEmpty)
        #expect(machine.deadline == nil)
    }

    @Test("refreshes five minutes before the end, a short one at half; an unchanged answer changes nothing")
    func refreshes() throws {
        var configuration = self.configuration
        configuration.relayCount = 1
        for (seconds, refreshAfter) in [(UInt64(3600), 3300), (400, 200), (60, 30)] {
            var machine = RelayClientStateMachine(configuration)
            machine.added(self.candidate(0))
            machine.setWanted(true)
            _ = self.drain(&machine, self.start)
            machine.reserved(try self.reservation(0, seconds: seconds), now: self.start)
            #expect(self.drain(&machine, self.start) == [.changed])
            let due = self.start + .seconds(refreshAfter)
            #expect(machine.deadline == due)
            #expect(self.drain(&machine, due - .seconds(1)) == [])
            #expect(self.drain(&machine, due) == [.reserve(self.candidate(0))])
            #expect(self.drain(&machine, due) == [], "one request at a time")
            machine.reserved(try self.reservation(0, seconds: seconds), now: due)
            #expect(self.drain(&machine, due) == [])
            #expect(machine.deadline == due + .seconds(refreshAfter))
            // Another address is news.
            _ = self.drain(&machine, due + .seconds(refreshAfter))
            machine.reserved(try self.reservation(0, seconds: seconds, port: 2), now: due + .seconds(refreshAfter))
            #expect(self.drain(&machine, due + .seconds(refreshAfter)) == [.changed])
        }
    }

    @Test("a refresh that fails is tried again while the reservation lasts; at its end the relay is given up")
    func failingRefresh() throws {
        var configuration = self.configuration
        configuration.relayCount = 1
        var machine = RelayClientStateMachine(configuration)
        machine.added(self.candidate(0))
        machine.setWanted(true)
        _ = self.drain(&machine, self.start)
        machine.reserved(try self.reservation(0), now: self.start)
        _ = self.drain(&machine, self.start)
        var now = self.start + .seconds(3300)
        var attempts = 0
        while machine.reservations.count == 1 {
            let actions = self.drain(&machine, now)
            if actions.contains(.reserve(self.candidate(0))) {
                attempts += 1
                machine.failed(self.peers[0], kind: .refused, now: now)
                #expect(machine.reservations.count == 1 || now + .seconds(320) >= self.start + .seconds(3600))
            }
            guard let deadline = machine.deadline, machine.reservations.count == 1 else { break }
            #expect(deadline > now)
            now = deadline
        }
        // After 5, 10, 20, 40, 80 s; 160 s more would be too late.
        #expect(attempts == 6)
        let lastRetry: Duration = .seconds(3455)  // 3300 + 5 + 10 + 20 + 40 + 80
        #expect(now == self.start + lastRetry)
        #expect(Set(self.drain(&machine, now)) == [.changed, .release(self.peers[0])])
    }

    @Test("one that refuses waits longer each time, up to half an hour, and another takes its place")
    func backoff() throws {
        var configuration = self.configuration
        configuration.relayCount = 1
        var machine = RelayClientStateMachine(configuration)
        machine.added(self.candidate(0))
        machine.setWanted(true)
        var now = self.start
        var waits: [Duration] = []
        for _ in 0..<12 {
            #expect(self.drain(&machine, now) == [.reserve(self.candidate(0))])
            machine.failed(self.peers[0], kind: .refused, now: now)
            let deadline = try #require(machine.deadline)
            waits.append(deadline - now)
            #expect(self.drain(&machine, deadline - .milliseconds(1)) == [])
            now = deadline
        }
        #expect(waits.prefix(4) == [.seconds(5), .seconds(10), .seconds(20), .seconds(40)])
        #expect(waits.last == .seconds(1800))
        _ = self.drain(&machine, now)
        machine.failed(self.peers[0], kind: .refused, now: now)
        machine.added(self.candidate(1))
        #expect(self.drain(&machine, now) == [.reserve(self.candidate(1))])
        machine.reserved(try self.reservation(1), now: now)
        // Enough is enough: the one that waits is not asked at its time.
        #expect(self.drain(&machine, now + .seconds(1800)) == [.changed])
    }

    @Test("one that is lost after it served for a while is asked again within two seconds, then ever later; one that drops at once is not")
    func reconnects() throws {
        var configuration = self.configuration
        configuration.relayCount = 1
        for (jitter, first) in [(0.0, Duration.milliseconds(500)), (0.5, .seconds(1)), (1.0, .milliseconds(1500))] {
            var machine = RelayClientStateMachine(configuration)
            machine.added(self.candidate(0))
            machine.setWanted(true)
            _ = self.drain(&machine, self.start)
            machine.reserved(try self.reservation(0), now: self.start)
            _ = self.drain(&machine, self.start)
            var now = self.start + .seconds(30)
            machine.disconnected(self.peers[0], now: now, jitter: jitter)
            #expect(self.drain(&machine, now) == [.changed, .release(self.peers[0])])
            var waits: [Duration] = []
            for _ in 0..<3 {
                let deadline = try #require(machine.deadline)
                waits.append(deadline - now)
                now = deadline
                #expect(self.drain(&machine, now) == [.reserve(self.candidate(0))])
                machine.failed(self.peers[0], kind: .refused, now: now)
            }
            #expect(waits == [first, first * 2, first * 4])
            now = try #require(machine.deadline)
            _ = self.drain(&machine, now)
            machine.reserved(try self.reservation(0), now: now)
            _ = self.drain(&machine, now)
            machine.disconnected(self.peers[0], now: now + .seconds(29), jitter: jitter)
            #expect(machine.deadline == now + .seconds(34))
        }
    }

    @Test("a dead one is replaced at once; a liar is not asked for a day")
    func replaces() throws {
        var configuration = self.configuration
        configuration.relayCount = 1
        var machine = RelayClientStateMachine(configuration)
        for index in 0..<3 { machine.added(self.candidate(index)) }
        machine.setWanted(true)
        _ = self.drain(&machine, self.start)
        machine.reserved(try self.reservation(0), now: self.start)
        _ = self.drain(&machine, self.start)
        machine.disconnected(self.peers[0], now: self.start)
        #expect(self.drain(&machine, self.start) == [.changed, .release(self.peers[0]), .reserve(self.candidate(1))])
        machine.failed(self.peers[1], kind: .lied, now: self.start)
        #expect(self.drain(&machine, self.start) == [.reserve(self.candidate(2))])
        machine.failed(self.peers[2], kind: .refused, now: self.start)
        let actions = self.drain(&machine, self.start + .seconds(3600))
        #expect(actions.count == 1)
        #expect(actions != [.reserve(self.candidate(1))])
        // One that holds a reservation and breaks its word is left too.
        machine.reserved(try self.reservation(actions == [.reserve(self.candidate(0))] ? 0 : 2), now: self.start)
        let held = try #require(machine.reservations.first).relay
        _ = self.drain(&machine, self.start)
        machine.failed(held, kind: .lied, now: self.start)
        #expect(self.drain(&machine, self.start).prefix(2) == [.changed, .release(held)])
    }

    @Test("an answer that comes after the connection is lost, or that nobody wants any more, is given back")
    func late() throws {
        var machine = RelayClientStateMachine(self.configuration)
        machine.added(self.candidate(0))
        machine.setWanted(true)
        #expect(self.drain(&machine, self.start) == [.reserve(self.candidate(0))])
        machine.setWanted(false)
        machine.reserved(try self.reservation(0), now: self.start)
        #expect(self.drain(&machine, self.start) == [.release(self.peers[0])])
        machine.setWanted(true)
        #expect(self.drain(&machine, self.start) == [.reserve(self.candidate(0))])
        machine.removed(self.peers[0])
        machine.reserved(try self.reservation(0), now: self.start)
        #expect(self.drain(&machine, self.start) == [.release(self.peers[0])])
    }

    @Test("candidates are bounded: a newcomer replaces one that failed, or is forgotten")
    func bounded() throws {
        var configuration = self.configuration
        configuration.maximumCandidates = 3
        configuration.relayCount = 1
        var machine = RelayClientStateMachine(configuration)
        for index in 0..<4 { machine.added(self.candidate(index)) }
        #expect(machine.candidateCount == 3)
        machine.setWanted(true)
        #expect(self.drain(&machine, self.start) == [.reserve(self.candidate(0))])
        machine.failed(self.peers[0], kind: .refused, now: self.start)
        machine.added(self.candidate(4))
        #expect(machine.candidateCount == 3)
        machine.removed(self.peers[0])
        #expect(machine.candidateCount == 3, "it had made room")
    }
}
