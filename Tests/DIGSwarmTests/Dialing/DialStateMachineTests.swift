import DIGMultiformats
import DIGNet
import Testing

@testable import DIGSwarm

@Suite("Dial state machine")
struct DialStateMachineTests {
    let start = ContinuousClock.now
    var configuration = DialConfiguration()

    struct Refused: Error, CustomStringConvertible { var description = "refused" }

    func addresses(_ count: Int) throws -> [Multiaddr] {
        try (1...count).map { try Multiaddr("/ip4/10.0.\($0 / 256).\($0 % 256)/tcp/1") }
    }

    /// Every attempt that `machine` starts at `now`.
    func started(_ machine: inout DialStateMachine, now: ContinuousClock.Instant) -> [Multiaddr] {
        var all: [Multiaddr] = []
        while case .start(_, let address) = machine.poll(now: now) { all.append(address) }
        return all
    }

    func failure(_ machine: inout DialStateMachine, now: ContinuousClock.Instant) -> DialError? {
        guard case .fail(let error) = machine.poll(now: now) else { return nil }
        return error
    }

    func isSilent(_ machine: inout DialStateMachine, now: ContinuousClock.Instant) -> Bool {
        if case nil = machine.poll(now: now) { true } else { false }
    }

    @Test("starts one attempt at once and the next after 250 ms each (RFC 8305 §5)")
    func staggers() throws {
        let addresses = try self.addresses(3)
        var machine = DialStateMachine(configuration: self.configuration, now: self.start)
        machine.added(addresses)
        #expect(self.started(&machine, now: self.start) == [addresses[0]])
        #expect(machine.deadline == self.start + .milliseconds(250))
        #expect(self.started(&machine, now: self.start + .milliseconds(249)) == [])
        #expect(self.started(&machine, now: self.start + .milliseconds(250)) == [addresses[1]])
        #expect(machine.deadline == self.start + .milliseconds(500))
        #expect(self.started(&machine, now: self.start + .milliseconds(500)) == [addresses[2]])
        #expect(machine.deadline == self.start + self.configuration.timeout)
    }

    @Test("starts the next attempt at once when one fails")
    func failureStartsNext() throws {
        let addresses = try self.addresses(3)
        var machine = DialStateMachine(configuration: self.configuration, now: self.start)
        machine.added(addresses)
        #expect(self.started(&machine, now: self.start) == [addresses[0]])
        let later = self.start + .milliseconds(10)
        machine.attemptFailed(.init(rawValue: 0), because: Refused(), now: later)
        #expect(self.started(&machine, now: later) == [addresses[1]])
        #expect(machine.deadline == later + .milliseconds(250))
    }

    @Test("starts everything at once when there is no delay, as a punch wants")
    func noDelay() throws {
        var configuration = self.configuration
        configuration.attemptDelay = .zero
        let addresses = try self.addresses(5)
        var machine = DialStateMachine(configuration: configuration, now: self.start)
        machine.added(addresses)
        #expect(self.started(&machine, now: self.start) == addresses)
    }

    @Test("a name that stands for itself is tried as it is, once, and one that is refused is named")
    func nameOfItself() throws {
        let names = try ["/dns4/a/tcp/1/ws", "/dns4/b/tcp/1/ws"].map { try Multiaddr($0) }
        var machine = DialStateMachine(configuration: self.configuration, now: self.start)
        for name in names {
            let isNew = machine.resolving(name)
            #expect(isNew)
        }
        machine.added([names[0]], resolvedFrom: names[0])
        machine.resolved(names[0])
        #expect(self.started(&machine, now: self.start) == [names[0]])
        machine.rejected(names[1], because: Refused())
        machine.resolved(names[1])
        machine.attemptFailed(.init(rawValue: 0), because: Refused(), now: self.start)
        #expect(self.failure(&machine, now: self.start)?.attempts.map(\.address) == [names[1], names[0]])
    }

    @Test("names every address and its cause when all have failed")
    func allFail() throws {
        let addresses = try self.addresses(2)
        var machine = DialStateMachine(configuration: self.configuration, now: self.start)
        machine.added(addresses)
        machine.rejected(try Multiaddr("/memory/1"), because: ConnectionError(.noCommonProtocol, "no transport"))
        for id in 0..<2 {
            _ = self.started(&machine, now: self.start)
            machine.attemptFailed(.init(rawValue: id), because: Refused(), now: self.start)
        }
        let error = try #require(self.failure(&machine, now: self.start))
        #expect(error.description == "/memory/1: no transport; \(addresses[0]): refused; \(addresses[1]): refused")
        #expect(machine.deadline == nil)
        #expect(self.isSilent(&machine, now: self.start))
    }

    @Test("fails at once without addresses")
    func nothing() throws {
        var machine = DialStateMachine(configuration: self.configuration, now: self.start)
        #expect(try #require(self.failure(&machine, now: self.start)).description == "no address is known")
    }

    @Test("tries no more than the limit at the same time")
    func parallel() throws {
        var configuration = self.configuration
        configuration.maximumParallelAttempts = 2
        let addresses = try self.addresses(3)
        var machine = DialStateMachine(configuration: configuration, now: self.start)
        machine.added(addresses)
        #expect(self.started(&machine, now: self.start).count == 1)
        #expect(self.started(&machine, now: self.start + .seconds(1)).count == 1)
        #expect(self.started(&machine, now: self.start + .seconds(2)) == [])
        #expect(machine.deadline == self.start + configuration.timeout)
        machine.attemptFailed(.init(rawValue: 1), because: Refused(), now: self.start + .seconds(2))
        #expect(self.started(&machine, now: self.start + .seconds(2)) == [addresses[2]])
    }

    @Test("gives up after the time for the whole dial and says what was not finished")
    func timesOut() throws {
        let addresses = try self.addresses(2)
        var machine = DialStateMachine(configuration: self.configuration, now: self.start)
        machine.added(addresses)
        _ = self.started(&machine, now: self.start)
        let error = try #require(self.failure(&machine, now: self.start + self.configuration.timeout))
        #expect(error.attempts.map(\.address) == addresses)
        #expect(error.attempts.allSatisfy { $0.error as? ConnectionError == ConnectionError(.timedOut, "") })
    }

    @Test("leaves out addresses beyond the limit and says so")
    func limit() throws {
        let addresses = try self.addresses(70)
        var machine = DialStateMachine(configuration: self.configuration, now: self.start)
        machine.added(addresses)
        var count = 0
        while let action = machine.poll(now: self.start) {
            switch action {
            case .start(let id, _):
                count += 1
                machine.attemptFailed(id, because: Refused(), now: self.start)
            case .fail(let error):
                #expect(error.attempts.count == 70)
            }
        }
        #expect(count == 64)
    }

    @Test("tries an address once, however often it is given")
    func duplicates() throws {
        let addresses = try self.addresses(1)
        var machine = DialStateMachine(configuration: self.configuration, now: self.start)
        machine.added(addresses + addresses)
        machine.added(addresses)
        #expect(self.started(&machine, now: self.start) == addresses)
        machine.attemptFailed(.init(rawValue: 0), because: Refused(), now: self.start)
        #expect(try #require(self.failure(&machine, now: self.start)).attempts.count == 1)
    }

    @Test("waits for names that are being resolved")
    func names() throws {
        let name = try Multiaddr("/dns4/a.example/tcp/1")
        let other = try Multiaddr("/dns4/b.example/tcp/1")
        let address = try self.addresses(1)
        var machine = DialStateMachine(configuration: self.configuration, now: self.start)
        let isNew = [machine.resolving(name), machine.resolving(name), machine.resolving(other)]
        #expect(isNew == [true, false, true])
        #expect(self.isSilent(&machine, now: self.start))
        machine.added(address)
        machine.resolved(name)
        #expect(self.started(&machine, now: self.start) == address)
        machine.attemptFailed(.init(rawValue: 0), because: Refused(), now: self.start)
        #expect(self.isSilent(&machine, now: self.start))
        machine.resolutionFailed(other, because: Refused())
        #expect(try #require(self.failure(&machine, now: self.start)).attempts.map(\.address) == address + [other])
    }

    @Test("is silent after a success")
    func success() throws {
        var machine = DialStateMachine(configuration: self.configuration, now: self.start)
        machine.added(try self.addresses(3))
        _ = self.started(&machine, now: self.start)
        machine.attemptSucceeded(.init(rawValue: 0))
        #expect(machine.deadline == nil)
        #expect(self.isSilent(&machine, now: self.start + .seconds(100)))
    }
}
