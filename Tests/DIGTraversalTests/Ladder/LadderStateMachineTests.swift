import DIGMultiformats
import Testing

@testable import DIGTraversal

@Suite("The ladder")
struct LadderStateMachineTests {
    typealias Action = LadderStateMachine.Action
    private let start = ContinuousClock.now

    private func rung(_ method: TraversalMethod) -> LadderStateMachine.Rung {
        LadderStateMachine.Rung(method: method, addresses: [Multiaddr(components: [.memory(UInt64(method.layer))])])
    }

    private func machine(_ methods: [TraversalMethod], _ mode: TraversalMode) -> LadderStateMachine {
        var configuration = LadderConfiguration()
        configuration.mode = mode
        return LadderStateMachine(rungs: methods.map(self.rung), configuration: configuration, now: self.start)
    }

    private func drain(_ machine: inout LadderStateMachine, after duration: Duration) -> [Action] {
        var actions: [Action] = []
        while let action = machine.poll(now: self.start + duration) { actions.append(action) }
        return actions
    }

    @Test("In sequence one method runs at a time, each for its budget, and the end is one failure")
    func sequence() {
        let methods: [TraversalMethod] = [.direct, .portMapping, .tcpHolePunch, .circuitRelay, .webSocket]
        var machine = self.machine(methods, .sequential)
        var time = Duration.zero
        for method in methods {
            #expect(self.drain(&machine, after: time) == [.start(self.rung(method))])
            #expect(machine.deadline == self.start + time + method.budget)
            #expect(self.drain(&machine, after: time + method.budget - .nanoseconds(1)) == [])
            time += method.budget
            #expect(machine.poll(now: self.start + time) == .cancel(method, cause: "no connection within \(method.budget)"))
        }
        #expect(self.drain(&machine, after: time) == [.fail])
        #expect(machine.isFinished)
        #expect(time == .seconds(115))
    }

    @Test("In sequence a failure brings the next method at once, and a success ends it")
    func sequenceSuccess() {
        var machine = self.machine([.direct, .portMapping, .circuitRelay], .sequential)
        #expect(self.drain(&machine, after: .zero) == [.start(self.rung(.direct))])
        machine.failed(.direct, now: self.start + .seconds(1))
        #expect(self.drain(&machine, after: .seconds(1)) == [.start(self.rung(.portMapping))])
        machine.succeeded(.portMapping, now: self.start + .seconds(2))
        #expect(self.drain(&machine, after: .seconds(2)) == [.connected(.portMapping)])
        #expect(machine.isFinished)
        #expect(machine.deadline == nil)
    }

    @Test("In a race methods start staggered, local and direct together, and punching is no rung")
    func staggered() {
        var machine = self.machine([.local, .direct, .tcpHolePunch, .circuitRelay, .webSocket], .race)
        #expect(self.drain(&machine, after: .zero) == [.start(self.rung(.local)), .start(self.rung(.direct))])
        #expect(machine.deadline == self.start + .milliseconds(250))
        #expect(self.drain(&machine, after: .milliseconds(249)) == [])
        #expect(self.drain(&machine, after: .milliseconds(250)) == [.start(self.rung(.circuitRelay))])
        #expect(self.drain(&machine, after: .milliseconds(500)) == [.start(self.rung(.webSocket))])
    }

    @Test("In a race punching is a rung where nothing may be relayed: nobody else would begin it")
    func punchAlone() {
        var machine = self.machine([.direct, .tcpHolePunch], .race)
        #expect(self.drain(&machine, after: .zero) == [.start(self.rung(.direct))])
        #expect(self.drain(&machine, after: .milliseconds(250)) == [.start(self.rung(.tcpHolePunch))])
        machine.succeeded(.tcpHolePunch, now: self.start + .seconds(1))
        #expect(self.drain(&machine, after: .seconds(1)) == [.connected(.tcpHolePunch), .cancel(.direct, cause: nil)])
    }

    /// A punch that needs no connection.
    private func signaled(_ method: TraversalMethod) -> LadderStateMachine.Rung {
        LadderStateMachine.Rung(method: method, addresses: [], signaling: [method == .dhtAssisted ? "dht" : "gun"])
    }

    private func race(_ rungs: [LadderStateMachine.Rung]) -> LadderStateMachine {
        LadderStateMachine(rungs: rungs, configuration: LadderConfiguration(), now: self.start)
    }

    @Test("With nothing but backends of signaling, the punches follow one another: each has its whole budget (LAY-03, LAY-07)")
    func signaling() {
        var machine = self.race([self.signaled(.tcpHolePunch), self.signaled(.dhtAssisted)])
        #expect(self.drain(&machine, after: .zero) == [.start(self.signaled(.tcpHolePunch))])
        #expect(machine.deadline == self.start + .seconds(25))
        #expect(self.drain(&machine, after: .seconds(24)) == [])
        #expect(
            self.drain(&machine, after: .seconds(25)) == [
                .cancel(.tcpHolePunch, cause: "no connection within 25.0 seconds"), .start(self.signaled(.dhtAssisted)),
            ])
        #expect(machine.deadline == self.start + .seconds(55))
        machine.failed(.dhtAssisted, now: self.start + .seconds(26))
        #expect(self.drain(&machine, after: .seconds(26)) == [.fail])
        #expect(machine.isFinished)
    }

    @Test("A punch that waits for another holds up nothing else")
    func signalingBesides() {
        var machine = self.race([self.rung(.direct), self.signaled(.tcpHolePunch), self.signaled(.dhtAssisted), self.rung(.webSocket)])
        #expect(self.drain(&machine, after: .zero) == [.start(self.rung(.direct))])
        #expect(self.drain(&machine, after: .milliseconds(250)) == [.start(self.signaled(.tcpHolePunch))])
        #expect(self.drain(&machine, after: .milliseconds(500)) == [.start(self.rung(.webSocket))])
        #expect(self.drain(&machine, after: .seconds(1)) == [])
        machine.failed(.tcpHolePunch, now: self.start + .seconds(2))
        #expect(self.drain(&machine, after: .seconds(2)) == [.start(self.signaled(.dhtAssisted))])
    }

    @Test("In a race with a relay, backends of signaling are for when there is no way through it")
    func signalingAfterRelay() {
        let rungs = [self.rung(.direct), self.signaled(.tcpHolePunch), self.rung(.circuitRelay), self.signaled(.dhtAssisted)]
        var failing = self.race(rungs)
        _ = self.drain(&failing, after: .zero) + self.drain(&failing, after: .milliseconds(250))
        #expect(self.drain(&failing, after: .seconds(1)) == [])
        failing.failed(.circuitRelay, now: self.start + .seconds(1))
        #expect(self.drain(&failing, after: .seconds(1)) == [.start(self.signaled(.tcpHolePunch))])
        failing.failed(.direct, now: self.start + .seconds(2))
        failing.failed(.tcpHolePunch, now: self.start + .seconds(3))
        #expect(self.drain(&failing, after: .seconds(3)) == [.start(self.signaled(.dhtAssisted))])
        failing.succeeded(.dhtAssisted, now: self.start + .seconds(9))
        #expect(self.drain(&failing, after: .seconds(9)) == [.connected(.dhtAssisted)])
        #expect(failing.isFinished)

        var working = self.race(rungs)
        _ = self.drain(&working, after: .zero) + self.drain(&working, after: .milliseconds(250))
        working.succeeded(.circuitRelay, now: self.start + .seconds(1))
        working.failed(.direct, now: self.start + .seconds(2))
        #expect(self.drain(&working, after: .seconds(60)) == [.connected(.circuitRelay)])
        #expect(working.isFinished)
    }

    @Test("A relayed success lets the direct methods go on; a direct one ends the race")
    func relayedFirst() {
        var machine = self.machine([.direct, .circuitRelay, .webSocket], .race)
        _ = self.drain(&machine, after: .zero) + self.drain(&machine, after: .milliseconds(250))
        machine.succeeded(.circuitRelay, now: self.start + .milliseconds(300))
        #expect(self.drain(&machine, after: .milliseconds(300)) == [.connected(.circuitRelay)])
        #expect(!machine.isFinished)
        #expect(self.drain(&machine, after: .milliseconds(500)) == [.start(self.rung(.webSocket))])
        machine.succeeded(.direct, now: self.start + .seconds(1))
        #expect(self.drain(&machine, after: .seconds(1)) == [.connected(.direct), .cancel(.webSocket, cause: nil)])
        #expect(machine.isFinished)
    }

    @Test("After a relayed success the end of the direct methods is no failure")
    func relayedOnly() {
        var machine = self.machine([.direct, .circuitRelay], .race)
        _ = self.drain(&machine, after: .zero) + self.drain(&machine, after: .milliseconds(250))
        machine.succeeded(.circuitRelay, now: self.start + .milliseconds(300))
        machine.failed(.direct, now: self.start + .seconds(2))
        #expect(self.drain(&machine, after: .seconds(2)) == [.connected(.circuitRelay)])
        #expect(machine.isFinished)
    }

    @Test("Stopped from outside, what runs is cancelled without a cause and nothing starts")
    func stopped() {
        var machine = self.machine([.direct, .circuitRelay, .webSocket], .race)
        _ = self.drain(&machine, after: .zero) + self.drain(&machine, after: .milliseconds(250))
        machine.stop()
        #expect(self.drain(&machine, after: .seconds(60)) == [.cancel(.direct, cause: nil), .cancel(.circuitRelay, cause: nil)])
        #expect(machine.isFinished)
    }

    @Test("Inputs about methods that are not running change nothing")
    func stray() {
        var machine = self.machine([.direct], .race)
        machine.succeeded(.circuitRelay, now: self.start)
        machine.failed(.direct, now: self.start)
        #expect(self.drain(&machine, after: .zero) == [.start(self.rung(.direct))])
    }

    @Test("Nothing to try is a failure")
    func empty() {
        var machine = self.machine([], .race)
        #expect(self.drain(&machine, after: .zero) == [.fail])
        #expect(self.drain(&machine, after: .zero) == [])
    }
}
