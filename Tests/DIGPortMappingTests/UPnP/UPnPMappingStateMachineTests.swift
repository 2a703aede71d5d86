@testable import DIGPortMapping
import DIGMultiformats
import Testing

@Suite("Making a mapping by UPnP")
struct UPnPMappingStateMachineTests {
    typealias Machine = UPnPMappingStateMachine
    static let client = IPv4Address(192, 168, 1, 2)

    static func machine(_ kind: UPnPService.Kind = .ip1, exact: Bool = false, external: UInt16 = 5000) -> Machine {
        var generator = SystemRandomNumberGenerator()
        let request = PortMapping.Request(protocol: .tcp, internalPort: 4001, suggestedExternalPort: 5000, requiresExternalPort: exact)
        return Machine(request, client: Self.client, service: kind, externalPort: external, leaseSeconds: 3600, using: &generator)
    }

    static func fault(_ code: Int) -> UPnPFault { UPnPFault(code: code, text: "") }

    @Test("v1: looks, then adds")
    func plain() {
        var machine = Self.machine()
        #expect(machine.start() == .look(externalPort: 5000))
        #expect(machine.looked(nil) == .add(externalPort: 5000, leaseSeconds: 3600))
        #expect(machine.added() == .finish(externalPort: 5000, leaseSeconds: 3600))
    }

    @Test("our own entry is renewed, another machine's is left alone")
    func owners() {
        var machine = Self.machine()
        _ = machine.start()
        #expect(machine.looked(.init(internalClient: Self.client, internalPort: 4001)) == .add(externalPort: 5000, leaseSeconds: 3600))
        machine = Self.machine()
        _ = machine.start()
        guard case .look(let other) = machine.looked(.init(internalClient: IPv4Address(192, 168, 1, 3), internalPort: 4001)) else {
            Issue.record("another port is looked at")
            return
        }
        #expect(other != 5000 && Machine.choosablePorts.contains(other))
        machine = Self.machine(exact: true)
        _ = machine.start()
        #expect(machine.looked(.init(internalClient: IPv4Address(192, 168, 1, 3), internalPort: 4001)) == .fail(PortMappingError(.conflict, "")))
    }

    @Test("error 725 makes the mapping permanent, once", arguments: [725, 402])
    func permanent(code: Int) {
        var machine = Self.machine()
        _ = machine.start()
        _ = machine.looked(nil)
        #expect(machine.refused(Self.fault(code)) == .look(externalPort: 5000))
        #expect(machine.looked(nil) == .add(externalPort: 5000, leaseSeconds: 0))
        var again = machine
        #expect(machine.added() == .finish(externalPort: 5000, leaseSeconds: 0))
        #expect(again.refused(Self.fault(code)) == .fail(PortMappingError(.refused, "")))
    }

    @Test("error 718 takes other ports, but not for ever")
    func conflicts() {
        var machine = Self.machine()
        _ = machine.start()
        var action = machine.looked(nil)
        var count = 1
        while case .add = action {
            guard case .look = machine.refused(Self.fault(718)) else { break }
            action = machine.looked(nil)
            count += 1
        }
        #expect(count == Machine.maximumPortCount)
        #expect(machine.refused(Self.fault(718)) == .fail(PortMappingError(.conflict, "")))
    }

    @Test("error 724 takes the internal port")
    func samePort() {
        var machine = Self.machine()
        _ = machine.start()
        _ = machine.looked(nil)
        #expect(machine.refused(Self.fault(724)) == .look(externalPort: 4001))
        _ = machine.looked(nil)
        #expect(machine.refused(Self.fault(718)) == .fail(PortMappingError(.conflict, "")))
    }

    @Test("v2 lets the gateway choose, and falls back to v1's action", arguments: [401, 602])
    func addAny(code: Int) {
        var machine = Self.machine(.ip2)
        #expect(machine.start() == .addAny(externalPort: 5000, leaseSeconds: 3600))
        var other = machine
        #expect(machine.added(externalPort: 6000) == .finish(externalPort: 6000, leaseSeconds: 3600))
        #expect(other.refused(Self.fault(code)) == .look(externalPort: 5000))
        var exact = Self.machine(.ip2, exact: true)
        #expect(exact.start() == .look(externalPort: 5000))
        var hostile = Self.machine(.ip2)
        _ = hostile.start()
        #expect(hostile.added(externalPort: 0) == .fail(PortMappingError(.malformedAnswer, "")))
    }

    @Test("other refusals end it", arguments: [(501, PortMappingError.Code.refused), (606, .refused), (728, .outOfResources), (401, .notSupported), (999, .refused)])
    func refusals(code: Int, expected: PortMappingError.Code) {
        var machine = Self.machine()
        _ = machine.start()
        _ = machine.looked(nil)
        #expect(machine.refused(Self.fault(code)) == .fail(PortMappingError(expected, "")))
    }

    @Test("port 0 means the internal one")
    func anyPort() {
        var machine = Self.machine(external: 0)
        #expect(machine.start() == .look(externalPort: 4001))
    }
}
