import DIGTestSupport
import NIOCore
import Testing

@testable import DIGSTUN

@Suite("NAT behavior discovery")
struct NATBehaviorStateMachineTests {
    private static let first = address("203.0.113.1:3478")
    private static let other = address("203.0.113.2:3479")
    private static let twoAddresses: [(address: SocketAddress, kind: SimulatedNAT.Server)] = [(first, .twoAddresses(other: other))]

    private func discover(_ nat: SimulatedNAT, seed: UInt64 = 1) throws -> NATBehavior {
        var nat = nat
        var generator = SeededGenerator(seed: seed)
        let behavior = nat.discover(using: &generator)
        return try #require(behavior)
    }

    @Test(
        "names every mapping and filter with one server that has two addresses (RFC 5780 §4.3, §4.4), whatever the order of the answers",
        arguments: [NATMapping.endpointIndependent, .addressDependent, .addressAndPortDependent],
        [NATFiltering.endpointIndependent, .addressDependent, .addressAndPortDependent])
    func everyNAT(mapping: NATMapping, filtering: NATFiltering) throws {
        for seed in UInt64(0)..<20 {
            var nat = SimulatedNAT(servers: Self.twoAddresses)
            nat.mapping = mapping
            nat.filtering = filtering
            nat.hairpins = seed % 2 == 0
            let behavior = try self.discover(nat, seed: seed)
            #expect(behavior.mapping == mapping)
            #expect(behavior.filtering == filtering)
            #expect(behavior.hairpins == nat.hairpins)
            #expect(behavior.preservesPort == (mapping == .endpointIndependent))
            #expect(behavior.isBehindNAT == true)
            #expect(!behavior.isUDPBlocked)
            #expect(behavior.external.allSatisfy { $0.ipAddress == "198.51.100.7" })
        }
    }

    @Test("gives the classic names")
    func names() throws {
        func type(_ mapping: NATMapping, _ filtering: NATFiltering, isBehindNAT: Bool? = true, blocked: Bool = false) -> NATType {
            NATBehavior(mapping: mapping, filtering: filtering, isUDPBlocked: blocked, isBehindNAT: isBehindNAT).type
        }
        #expect(type(.endpointIndependent, .endpointIndependent) == .fullCone)
        #expect(type(.endpointIndependent, .addressDependent) == .addressRestricted)
        #expect(type(.endpointIndependent, .addressAndPortDependent) == .portRestricted)
        #expect(type(.endpointIndependent, .unknown) == .cone)
        #expect(type(.addressDependent, .endpointIndependent) == .symmetric)
        #expect(type(.addressAndPortDependent, .addressAndPortDependent) == .symmetric)
        #expect(type(.endpointIndependent, .endpointIndependent, isBehindNAT: false) == .open)
        #expect(type(.endpointIndependent, .addressAndPortDependent, isBehindNAT: false) == .firewall)
        #expect(type(.endpointIndependent, .addressDependent, isBehindNAT: false) == .firewall)
        #expect(type(.endpointIndependent, .unknown, isBehindNAT: false) == .unknown)
        #expect(type(.unknown, .endpointIndependent) == .unknown)
        #expect(type(.unknown, .unknown, isBehindNAT: nil, blocked: true) == .blocked)
        for type in NATType.allCases { #expect(!type.description.isEmpty) }
    }

    @Test("sees that there is no NAT, open or behind a firewall")
    func noNAT() throws {
        for (filtering, type) in [(NATFiltering.endpointIndependent, NATType.open), (.addressAndPortDependent, .firewall)] {
            var nat = SimulatedNAT(servers: Self.twoAddresses)
            nat.externalAddress = nil
            nat.filtering = filtering
            nat.hairpins = true
            let behavior = try self.discover(nat)
            #expect(behavior.type == type)
            #expect(behavior.isBehindNAT == false)
            #expect(behavior.preservesPort == true)
            #expect(behavior.external == [address("192.168.1.11:40000")])
        }
    }

    @Test("sees a port that is not kept")
    func otherPort() throws {
        var nat = SimulatedNAT(servers: Self.twoAddresses)
        nat.preservesPort = false
        let behavior = try self.discover(nat)
        #expect(behavior.mapping == .endpointIndependent)
        #expect(behavior.preservesPort == false)
        #expect(behavior.type == .portRestricted)
    }

    @Test("compares plain servers if none has two addresses: the mapping only")
    func plainServers() throws {
        for mapping in [NATMapping.endpointIndependent, .addressAndPortDependent] {
            var nat = SimulatedNAT(servers: [(Self.first, .plain), (address("192.0.2.9:3478"), .plain), (address("192.0.2.10:3478"), .silent)])
            nat.mapping = mapping
            nat.hairpins = true
            let behavior = try self.discover(nat)
            #expect(behavior.mapping == mapping)
            #expect(behavior.filtering == .unknown)
            #expect(behavior.hairpins == true)
            #expect(behavior.type == (mapping == .endpointIndependent ? .cone : .symmetric))
            #expect(behavior.external.count == (mapping == .endpointIndependent ? 1 : 2))
        }
    }

    @Test("tells address-dependent from address-and-port-dependent if a plain server is asked at two ports")
    func twoPorts() throws {
        for mapping in [NATMapping.addressDependent, .addressAndPortDependent] {
            var nat = SimulatedNAT(servers: [(Self.first, .plain), (address("203.0.113.1:3479"), .plain), (address("192.0.2.9:3478"), .plain)])
            nat.mapping = mapping
            for seed in UInt64(0)..<6 { #expect(try self.discover(nat, seed: seed).mapping == mapping) }
        }
    }

    @Test("knows nothing of the mapping from one plain server")
    func onePlainServer() throws {
        let behavior = try self.discover(SimulatedNAT(servers: [(Self.first, .plain)]))
        #expect(behavior.mapping == .unknown)
        #expect(behavior.type == .unknown)
        #expect(behavior.external == [address("198.51.100.7:40000")])
        // Two ports of one address say nothing about other addresses.
        let ports = try self.discover(SimulatedNAT(servers: [(Self.first, .plain), (address("203.0.113.1:3479"), .plain)]))
        #expect(ports.mapping == .unknown)
    }

    @Test("calls UDP blocked only if nobody answers anything")
    func blocked() throws {
        let silent = try self.discover(SimulatedNAT(servers: [(Self.first, .silent), (Self.other, .silent)]))
        #expect(silent.isUDPBlocked)
        #expect(silent.type == .blocked)
        #expect(silent.preservesPort == nil)
        #expect(silent.hairpins == nil)
        #expect(silent.isBehindNAT == nil)
        #expect(silent.evidence.count == 2)
        let refused = try self.discover(SimulatedNAT(servers: [(Self.first, .silent), (Self.other, .refusing)]))
        #expect(!refused.isUDPBlocked)
        #expect(refused.type == .unknown)
    }

    @Test("concludes nothing about filters from a server that does not do what it says")
    func pretender() throws {
        let behavior = try self.discover(SimulatedNAT(servers: [(Self.first, .pretender(other: Self.other))]))
        #expect(behavior.filtering == .unknown)
        #expect(behavior.mapping == .endpointIndependent)
    }

    @Test("asks each server once, at most eight, and forgets answers that it did not ask for")
    func bounds() throws {
        let many = (1...20).flatMap { [address("192.0.2.\($0):1"), address("192.0.2.\($0):1")] }
        var machine = NATBehaviorStateMachine(servers: many, localPort: 1, localAddresses: [])
        var questions: [NATBehaviorStateMachine.Question] = []
        while case .ask(let question)? = machine.poll() { questions.append(question) }
        #expect(questions.map(\.destination) == (1...8).map { address("192.0.2.\($0):1") })
        var other = questions[0]
        other.kind = .hairpin
        machine.answered(other, STUNBinding(mapped: Self.first, source: Self.first))
        for _ in 0..<2 { machine.failed(questions[0], STUNError(.timedOut, "")) }
        let nothing = machine.poll()
        #expect(nothing == nil)
        var empty = NATBehaviorStateMachine(servers: [], localPort: 1, localAddresses: [])
        let outputs = [empty.poll(), empty.poll()]
        #expect(outputs == [.finished(NATBehavior()), nil])
    }

    @Test("keeps the evidence, in words too")
    func evidence() throws {
        let behavior = try self.discover(SimulatedNAT(servers: Self.twoAddresses))
        #expect(Set(behavior.evidence.map(\.question)) == Set(NATEvidence.Question.allCases).subtracting([.mappingToOtherAddressAndPort]))
        let words = behavior.evidence.map(\.description)
        #expect(words.contains("asked 203.0.113.1:3478: seen as 198.51.100.7:40000"))
        #expect(words.contains("answer from 203.0.113.2:3479, another address: nothing came"))
    }
}
