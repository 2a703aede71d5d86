import DIGCircuitRelay
import DIGIdentity
import DIGMultiformats
import Testing

@testable import DIGAutoNAT
@testable import DIGPortMapping
@testable import DIGTraversal

@Suite("What a diagnosis waits for")
struct DiagnosisQuestionsTests {
    private let peers: [PeerID]

    init() throws { self.peers = try (0..<2).map { _ in try KeyPair.generate().peerID } }

    private func environment(_ overall: NodeReachability = .unknown, votes: Int? = nil, ports: PortMapperStatus? = nil) throws -> NATEnvironment {
        let address = try Multiaddr("/ip4/8.8.1.1/tcp/4001")
        let vote = ReachabilitySnapshot.Vote(server: self.peers[0], serverAddress: address, isReachable: true, isStranger: false, version: .v2, at: .now)
        let addresses = votes.map { count in
            [
                ReachabilitySnapshot.Address(
                    external: ExternalAddress(address: address, listenAddress: address, basis: .observed), state: .unknown, isIndependent: false, confidence: 0,
                    votes: Array(repeating: vote, count: count), refusals: 0, nextCheck: .now)
            ]
        }
        return NATEnvironment(
            listenAddresses: [], announcedAddresses: [],
            reachability: ReachabilitySnapshot(
                overall: overall, addresses: addresses ?? [], v2Servers: 1, v1Servers: 0, tcpMapping: TCPMapping(behavior: .unknown, evidence: [])),
            portMapping: ports, relayAddresses: [], relayService: RelayServiceStatistics(), network: .unknown)
    }

    private func questions(
        _ environment: NATEnvironment, _ contacts: [DiagnosisCircumstances.Contact] = [], asksForPorts: Bool = false, wantsUDP: Bool = false
    ) -> DiagnosisQuestions {
        DiagnosisQuestions(environment, contacts: contacts, asksForPorts: asksForPorts, wantsUDP: wantsUDP)
    }

    private func contact(_ number: Int, _ outcome: DiagnosisCircumstances.Contact.Outcome, tests: Bool? = nil) -> DiagnosisCircumstances.Contact {
        .init(peer: self.peers[number], addresses: [], outcome: outcome, tests: tests)
    }

    @Test("the router is waited for: until it was looked for, has said what it speaks, and has opened a port or refused")
    func ports() throws {
        var status = PortMapperStatus()
        #expect(self.questions(try self.environment(ports: status), asksForPorts: true) == .ports)
        #expect(self.questions(try self.environment(ports: status), asksForPorts: false).isEmpty)
        status.hasLookedForGateways = true
        #expect(self.questions(try self.environment(ports: status), asksForPorts: true).isEmpty, "there is no router")
        status.gateways = [
            .init(
                family: .ip4, address: try Multiaddr("/ip4/192.168.1.1"), interface: "eth0", isDoubleNAT: false, findings: [.init(method: .pcp, outcome: .searching)],
                failures: [])
        ]
        #expect(self.questions(try self.environment(ports: status), asksForPorts: true) == .ports)
        status.gateways[0].findings[0].outcome = .available
        #expect(self.questions(try self.environment(ports: status), asksForPorts: true) == .ports, "it has not answered the request")
        status.gateways[0].findings[0].outcome = .unavailable
        #expect(self.questions(try self.environment(ports: status), asksForPorts: true).isEmpty)
    }

    @Test("contacts are waited for until they failed, or are connected and have said what they do")
    func contacts() throws {
        #expect(self.questions(try self.environment(), [self.contact(0, .pending)]) == .contacts)
        #expect(self.questions(try self.environment(), [self.contact(0, .failed("no answer"))]).isEmpty)
        #expect(self.questions(try self.environment(), [self.contact(0, .connected)]).contains(.contacts))
        #expect(self.questions(try self.environment(), [self.contact(0, .connected, tests: false)]).isSubset(of: .minor))
    }

    @Test("tests are waited for until it is decided, or each tester has been heard")
    func reachability() throws {
        let tester = [self.contact(0, .connected, tests: true)]
        #expect(self.questions(try self.environment(), tester).contains(.reachability), "it is not known yet what to ask about")
        #expect(self.questions(try self.environment(votes: 0), tester).contains(.reachability))
        #expect(!self.questions(try self.environment(votes: 1), tester).contains(.reachability))
        #expect(!self.questions(try self.environment(.private, votes: 0), tester).contains(.reachability))
    }

    @Test("how the NAT maps TCP is waited for where two may say it, UDP where somebody was asked")
    func mapping() throws {
        #expect(!self.questions(try self.environment(.private), [self.contact(0, .connected, tests: true)]).contains(.mapping))
        let two = [self.contact(0, .connected, tests: true), self.contact(1, .connected, tests: true)]
        #expect(self.questions(try self.environment(.private), two).contains(.mapping))
        #expect(self.questions(try self.environment(), wantsUDP: true) == .udp)
        var environment = try self.environment()
        environment.udpProblem = "no such name"
        #expect(self.questions(environment, wantsUDP: true).isEmpty)
    }
}
