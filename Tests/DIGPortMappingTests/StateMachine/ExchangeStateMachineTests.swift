@testable import DIGPortMapping
import NIOCore
import Testing

@Suite("An exchange of datagrams with a gateway")
struct ExchangeStateMachineTests {
    typealias Machine = ExchangeStateMachine<NATPMPMapRequest>
    let start = ContinuousClock.Instant.now
    let request = NATPMPMapRequest(transport: .tcp, internalPort: 4001, suggestedExternalPort: 4002, lifetimeSeconds: 7200)
    var answer: NATPMPMapRequest.Answer { .init(externalPort: 4002, lifetimeSeconds: 7200, epoch: 3600) }

    @Test("gives up after nine unanswered attempts (RFC 6886 §3.1)")
    func givesUp() throws {
        var machine = Machine(self.request, schedule: .init(transmissionCount: 9), now: self.start)
        var now = self.start
        for attempt in 0..<9 {
            #expect(machine.deadlineReached(now: now) == .send(self.request.encode()))
            #expect(machine.deadlineReached(now: now) == .none)
            let deadline = try #require(machine.deadline)
            #expect(deadline == now + .milliseconds(250 << attempt))
            now = deadline
        }
        #expect(machine.deadlineReached(now: now) == .finish(.failure(PortMappingError(.unresponsive, ""))))
        #expect(machine.deadline == nil)
        #expect(machine.received(NATPMPCodecTests.mapped, isFromGateway: true) == .none)
    }

    @Test("an answer ends it")
    func answered() {
        var machine = Machine(self.request, schedule: .init(transmissionCount: 9), now: self.start)
        _ = machine.deadlineReached(now: self.start)
        #expect(machine.received(NATPMPCodecTests.mapped, isFromGateway: true) == .finish(.success(self.answer)))
        #expect(machine.deadline == nil)
        #expect(machine.portUnreachable() == .none)
    }

    @Test("what another host sends does not count")
    func foreignSource() {
        var machine = Machine(self.request, schedule: .init(transmissionCount: 9), now: self.start)
        _ = machine.deadlineReached(now: self.start)
        #expect(machine.received(NATPMPCodecTests.mapped, isFromGateway: false) == .none)
        #expect(machine.deadline != nil)
    }

    @Test("rubbish does not keep the true answer out, but is named when none comes")
    func rubbish() {
        var machine = Machine(self.request, schedule: .init(transmissionCount: 1), now: self.start)
        _ = machine.deadlineReached(now: self.start)
        #expect(machine.received(ByteBuffer(bytes: [0]), isFromGateway: true) == .none)
        var other = machine
        #expect(other.received(NATPMPCodecTests.mapped, isFromGateway: true) == .finish(.success(self.answer)))
        #expect(machine.deadlineReached(now: self.start + .seconds(1)) == .finish(.failure(PortMappingError(.malformedAnswer, ""))))
    }

    @Test("a closed port ends it at once")
    func unreachable() {
        var machine = Machine(self.request, schedule: .init(transmissionCount: 9), now: self.start)
        _ = machine.deadlineReached(now: self.start)
        #expect(machine.portUnreachable() == .finish(.failure(PortMappingError(.notSupported, ""))))
    }
}
