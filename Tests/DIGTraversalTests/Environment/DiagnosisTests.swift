import DIGCircuitRelay
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSTUN
import NIOCore
import Testing

@testable import DIGAutoNAT
@testable import DIGPortMapping
@testable import DIGTraversal

@Suite("The diagnosis of a network")
struct DiagnosisTests {
    private let here: Multiaddr
    private let outside: Multiaddr
    private let gateway: Multiaddr
    private let relay: Multiaddr

    init() throws {
        self.here = try Multiaddr("/ip4/192.168.1.5/tcp/4001")
        self.outside = try Multiaddr("/ip4/8.8.4.4/tcp/4001")
        self.gateway = try Multiaddr("/ip4/192.168.1.1")
        self.relay = try Multiaddr("/ip4/9.9.9.9/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN/p2p-circuit")
    }

    private func environment(
        _ overall: NodeReachability, _ mapping: TCPMapping.Behavior = .unknown, servers: Int = 1, ports: PortMapperStatus? = nil, relays: [Multiaddr] = []
    ) -> NATEnvironment {
        let state: AddressReachability? =
            switch overall {
            case .public: .reachable(since: .now)
            case .private: .unreachable(since: .now)
            case .unknown: nil
            }
        let address = state.map { state in
            ReachabilitySnapshot.Address(
                external: ExternalAddress(address: self.outside, listenAddress: self.here, basis: .observed, observerCount: 2), state: state,
                isIndependent: overall == .public, confidence: 1, votes: [], refusals: 0, nextCheck: .now)
        }
        return NATEnvironment(
            listenAddresses: [self.here], announcedAddresses: [self.here],
            reachability: ReachabilitySnapshot(
                overall: overall, addresses: address.map { [$0] } ?? [], v2Servers: servers, v1Servers: 0, tcpMapping: TCPMapping(behavior: mapping, evidence: [])),
            portMapping: ports, relayAddresses: relays, relayService: RelayServiceStatistics(), network: .unknown)
    }

    private func router(_ outcome: PortMapperStatus.Finding.Outcome, isDoubleNAT: Bool = false) throws -> PortMapperStatus {
        var status = PortMapperStatus()
        status.hasLookedForGateways = true
        status.gateways = [
            PortMapperStatus.GatewayStatus(
                family: .ip4, address: self.gateway, interface: "eth0", externalAddress: isDoubleNAT ? try Multiaddr("/ip4/100.64.0.9") : nil,
                isDoubleNAT: isDoubleNAT, findings: [.init(method: .upnp, outcome: outcome)], failures: [])
        ]
        return status
    }

    private func diagnosis(_ environment: NATEnvironment, _ circumstances: DiagnosisCircumstances = .init()) -> Diagnosis {
        let policy = AddressPolicy()
        return Diagnosis(environment, circumstances: circumstances, isPublic: policy.isPublic)
    }

    private func text(_ topic: String, _ diagnosis: Diagnosis) -> String {
        diagnosis.findings.filter { $0.topic == topic }.map(\.text).joined(separator: "\n")
    }

    private func weights(_ diagnosis: Diagnosis) -> [String: Diagnosis.Finding.Weight] {
        Dictionary(diagnosis.findings.map { ($0.topic, $0.weight) }, uniquingKeysWith: { first, _ in first })
    }

    private func works(_ diagnosis: Diagnosis) -> [TraversalMethod: Bool?] {
        Dictionary(uniqueKeysWithValues: diagnosis.outlooks.map { ($0.method, $0.works) })
    }

    @Test("A public node is reached by everybody and needs nothing")
    func isPublic() {
        let diagnosis = self.diagnosis(self.environment(.public, .untranslated))
        #expect(self.weights(diagnosis)["reachability"] == .good)
        #expect(self.weights(diagnosis)["tcp-mapping"] == .good)
        #expect(self.weights(diagnosis)["relays"] == nil)
        #expect(diagnosis.advice.isEmpty)
        #expect(self.works(diagnosis)[.direct] == true)
        #expect(self.works(diagnosis)[.circuitRelay] == true)
        #expect(diagnosis.findings.first?.text.contains("\(self.outside)") == true)
    }

    @Test("Every method has an outlook, in every network", arguments: [NodeReachability.public, .private, .unknown], [
        TCPMapping.Behavior.unknown, .untranslated, .endpointIndependent, .endpointDependent,
    ])
    func complete(_ overall: NodeReachability, _ mapping: TCPMapping.Behavior) {
        let diagnosis = self.diagnosis(self.environment(overall, mapping))
        #expect(diagnosis.outlooks.map(\.method) == TraversalMethod.allCases)
        #expect(diagnosis.outlooks.allSatisfy { !$0.reason.isEmpty })
        #expect(Set(diagnosis.findings.map(\.topic)).isSuperset(of: ["reachability", "tcp-mapping", "port-mapping", "ipv6"]))
        #expect(self.works(diagnosis)[.local] == true)
    }

    @Test("Behind a NAT that keeps its ports punching works; behind a symmetric one it depends on the peer")
    func mapping() {
        let friendly = self.diagnosis(self.environment(.private, .endpointIndependent, relays: [self.relay]))
        #expect(self.weights(friendly)["reachability"] == .bad)
        #expect(self.weights(friendly)["tcp-mapping"] == .good)
        #expect(self.weights(friendly)["relays"] == .good)
        #expect(self.works(friendly)[.tcpHolePunch] == true)
        #expect(self.works(friendly)[.circuitRelay] == true)
        let symmetric = self.diagnosis(self.environment(.private, .endpointDependent))
        #expect(self.weights(symmetric)["tcp-mapping"] == .bad)
        #expect(self.works(symmetric)[.tcpHolePunch] == .some(nil))
        #expect(self.works(symmetric)[.tcpSimultaneousOpen] == .some(nil))
        #expect(self.works(self.diagnosis(self.environment(.unknown)))[.tcpHolePunch] == .some(nil))
    }

    @Test("Without relays a node that nobody reaches is told to name one")
    func noRelays() {
        let diagnosis = self.diagnosis(self.environment(.private, .endpointIndependent))
        #expect(self.weights(diagnosis)["relays"] == .bad)
        #expect(diagnosis.advice.contains { $0.contains("--relay") })
        #expect(self.works(diagnosis)[.circuitRelay] == .some(nil))
    }

    @Test("When nobody could be asked the diagnosis says so instead of guessing")
    func unknown() {
        let lonely = self.diagnosis(self.environment(.unknown, servers: 0))
        #expect(self.weights(lonely)["reachability"] == .neutral)
        #expect(lonely.findings.first?.text.contains("nobody is connected") == true)
        #expect(lonely.advice.contains { $0.contains("tests whether") })
        #expect(self.works(lonely)[.direct] == .some(nil))
        #expect(self.text("reachability", self.diagnosis(self.environment(.unknown, servers: 2))).contains("2 peers would test"))
    }

    @Test("Routers: none, one that opens ports, one that does not, one behind another NAT")
    func routers() throws {
        #expect(self.weights(self.diagnosis(self.environment(.private)))["port-mapping"] == .neutral)
        #expect(self.text("port-mapping", self.diagnosis(self.environment(.private, ports: PortMapperStatus()))) == "no router was looked for yet")
        var looked = PortMapperStatus()
        looked.hasLookedForGateways = true
        let none = self.diagnosis(self.environment(.private, ports: looked))
        #expect(none.findings.contains { $0.topic == "port-mapping" && $0.text.contains("no default route") })

        let open = self.diagnosis(self.environment(.private, ports: try self.router(.available)))
        #expect(self.text("port-mapping", open) == "the router 192.168.1.1 speaks UPnP, and has opened no port yet")
        #expect(self.works(open)[.portMapping] == false, "nothing is mapped yet")

        let closed = self.diagnosis(self.environment(.private, ports: try self.router(.unavailable)))
        #expect(self.weights(closed)["port-mapping"] == .bad)
        #expect(closed.advice.contains { $0.contains("switch on UPnP") })
        #expect(!self.diagnosis(self.environment(.public, ports: try self.router(.unavailable))).advice.contains { $0.contains("UPnP") })

        let double = self.diagnosis(self.environment(.private, ports: try self.router(.available, isDoubleNAT: true)))
        #expect(self.weights(double)["double-nat"] == .bad)
        #expect(double.findings.contains { $0.text.contains("100.64.0.9") })
        #expect(double.advice.contains { $0.contains("provider") })
    }

    @Test("A router that speaks and opens nothing is named with its reasons; without a public address of its own it is behind another NAT")
    func refusingRouter() throws {
        var ports = try self.router(.available)
        let request = PortMapping.Request(protocol: .tcp, internalPort: 4001)
        func fail(_ error: PortMappingError) {
            ports.gateways[0].failures = [.init(id: .init(rawValue: 1), request: request, family: .ip4, attempts: [.init(method: .upnp, error: error)])]
        }
        fail(PortMappingError(.refused, "not allowed"))
        var diagnosis = self.diagnosis(self.environment(.private, ports: ports))
        #expect(self.weights(diagnosis)["port-mapping"] == .bad)
        #expect(diagnosis.findings.contains { $0.text.contains("not allowed") })
        #expect(self.weights(diagnosis)["double-nat"] == nil)

        fail(PortMappingError(.noExternalAddress, "no external address"))
        diagnosis = self.diagnosis(self.environment(.private, ports: ports))
        #expect(self.weights(diagnosis)["double-nat"] == .bad)
        // Where nobody has seen this node from outside, its line may just be down.
        diagnosis = self.diagnosis(self.environment(.unknown, ports: ports))
        #expect(self.weights(diagnosis)["double-nat"] == nil)
    }

    @Test("What STUN servers showed of UDP is a finding; that they did not help is one too")
    func udp() {
        var environment = self.environment(.private)
        #expect(self.weights(self.diagnosis(environment))["udp-nat"] == nil)
        environment.udp = NATBehavior(mapping: .endpointIndependent, filtering: .addressAndPortDependent, isBehindNAT: true)
        #expect(self.weights(self.diagnosis(environment))["udp-nat"] == .good)
        #expect(self.diagnosis(environment).findings.contains { $0.text == "UDP: port-restricted cone" })
        environment.udp = NATBehavior(mapping: .addressAndPortDependent)
        #expect(self.weights(self.diagnosis(environment))["udp-nat"] == .bad)
        environment.udp = NATBehavior(mapping: .addressDependent)
        #expect(self.weights(self.diagnosis(environment))["udp-nat"] == .bad)
        environment.udp = NATBehavior(mapping: .endpointIndependent, isBehindNAT: false)
        #expect(self.weights(self.diagnosis(environment))["udp-nat"] == .neutral)
        #expect(self.diagnosis(environment).findings.contains { $0.text.hasPrefix("UDP: no NAT") })
        environment.udp = NATBehavior()
        #expect(self.weights(self.diagnosis(environment))["udp-nat"] == .neutral)
        environment.udp = nil
        environment.udpProblem = "no name"
        #expect(self.weights(self.diagnosis(environment))["udp-nat"] == .neutral)
        #expect(self.diagnosis(environment).findings.contains { $0.text.hasSuffix("no name") })
    }

    @Test("A STUN server that is silent may be dead: UDP is not said to be blocked")
    func silentServers() throws {
        var environment = self.environment(.private)
        func silence(_ host: String) throws -> NATEvidence {
            let address = try SocketAddress(ipAddress: host, port: 3478)
            return NATEvidence(question: .binding, destination: address, answersFrom: address, outcome: .failed(STUNError(.timedOut, "silence")))
        }
        environment.udp = NATBehavior(isUDPBlocked: true, evidence: [try silence("9.9.9.1")])
        let one = self.diagnosis(environment)
        #expect(self.weights(one)["udp-nat"] == .neutral)
        #expect(self.text("udp-nat", one) == "UDP: no answer from 9.9.9.1:3478: it is down, or this network lets no UDP through")
        #expect(one.advice.contains { $0.contains("second STUN server") })
        environment.udp?.evidence.append(try silence("9.9.9.2"))
        #expect(self.text("udp-nat", self.diagnosis(environment)).contains("9.9.9.1:3478, 9.9.9.2:3478: they are down"))
    }

    // MARK: What is not known, and what would settle it

    private func vote(_ isReachable: Bool, isStranger: Bool) throws -> ReachabilitySnapshot.Vote {
        .init(server: try KeyPair.generate().peerID, serverAddress: self.relay, isReachable: isReachable, isStranger: isStranger, version: .v2, at: .now)
    }

    private func environment(
        _ overall: NodeReachability, votes: [ReachabilitySnapshot.Vote], state: AddressReachability = .unknown, at external: ExternalAddress? = nil
    ) -> NATEnvironment {
        var environment = self.environment(overall)
        environment.reachability.addresses = [
            .init(
                external: external ?? ExternalAddress(address: self.outside, listenAddress: self.here, basis: .observed, observerCount: 1), state: state,
                isIndependent: false, confidence: 0, votes: votes, refusals: 0, nextCheck: .now)
        ]
        return environment
    }

    @Test("Of one contact that gets through it is said that it proves nothing about strangers, and that one more would")
    func oneContact() throws {
        var environment = self.environment(.unknown, votes: [try self.vote(true, isStranger: false)], state: .reachable(since: .now))
        environment.reachability.tcpMapping.evidence = [.init(observer: self.relay, local: self.here, external: self.outside)]
        let diagnosis = self.diagnosis(environment)
        #expect(self.text("reachability", diagnosis).hasPrefix("the only test got through to this node at 8.8.4.4:4001"))
        #expect(self.text("tcp-mapping", diagnosis).contains("seen as 8.8.4.4:4001 by one contact: it takes two"))
        #expect(diagnosis.advice.contains { $0.hasPrefix("name one more contact") && $0.contains("strangers get through, and whether the NAT keeps its port") })
    }

    @Test("A test that is not over is waited for, not a reason to name somebody else; tests that disagree are")
    func openTests() throws {
        var environment = self.environment(.unknown, votes: [try self.vote(false, isStranger: false)])
        environment.reachability.v2Servers = 2
        var diagnosis = self.diagnosis(environment)
        #expect(self.text("reachability", diagnosis).contains("0 of 1 tests got through, others have not answered"))
        #expect(!diagnosis.advice.contains { $0.contains("one more contact") })
        environment.reachability.addresses[0].votes.append(try self.vote(true, isStranger: true))
        diagnosis = self.diagnosis(environment)
        #expect(self.text("reachability", diagnosis).hasSuffix("1 of 2 tests got through"))
        #expect(diagnosis.advice.contains { $0.contains("which of the tests is right") })
    }

    @Test("Where strangers are turned away and contacts are not, that is said")
    func addressRestricted() throws {
        let diagnosis = self.diagnosis(self.environment(.private, votes: [try self.vote(true, isStranger: false), try self.vote(false, isStranger: true)]))
        #expect(self.text("reachability", diagnosis).contains("strangers do not get through to this node at 8.8.4.4:4001"))
        #expect(self.weights(diagnosis)["reachability"] == .bad)
        #expect(!diagnosis.advice.contains { $0.contains("one more contact") })
    }

    @Test("Contacts that were named and cannot be reached are named with the cause; if all failed, a relay on a port of the web may help")
    func failedContacts() throws {
        var circumstances = DiagnosisCircumstances()
        let peer = try KeyPair.generate().peerID
        circumstances.contacts = [.init(peer: peer, addresses: [try Multiaddr("/ip4/9.9.9.9/tcp/4001")], outcome: .failed("no answer"))]
        var diagnosis = self.diagnosis(self.environment(.unknown, servers: 0), circumstances)
        #expect(self.text("contact", diagnosis) == "9.9.9.9:4001 cannot be reached: no answer")
        #expect(diagnosis.advice.contains { $0.contains("port 443 or 80") })
        #expect(!diagnosis.advice.contains { $0.contains("so that peers behind NATs find a way in") })
        circumstances.contacts[0].addresses = [try Multiaddr("/ip4/9.9.9.9/tcp/443/tls/ws")]
        diagnosis = self.diagnosis(self.environment(.unknown, servers: 0), circumstances)
        #expect(!diagnosis.advice.contains { $0.contains("port 443 or 80") })
        circumstances.contacts.append(.init(peer: try KeyPair.generate().peerID, addresses: [], outcome: .connected, tests: false))
        diagnosis = self.diagnosis(self.environment(.unknown, servers: 0), circumstances)
        #expect(diagnosis.findings.count { $0.topic == "contact" } == 2)
    }

    @Test("Advice names what to do: a fixed port, and the router or the firewall in which it is let in")
    func portAdvice() throws {
        var circumstances = DiagnosisCircumstances()
        circumstances.isPortRandom = true
        let closed = self.diagnosis(self.environment(.private, ports: try self.router(.unavailable)), circumstances)
        #expect(
            closed.advice.contains {
                $0.contains("--listen /ip4/0.0.0.0/tcp/4001") && $0.contains("forward TCP port 4001 to 192.168.1.5 in the router 192.168.1.1")
            })
        for (address, listen) in [("/ip4/8.8.4.4/tcp/5001", "/ip4/0.0.0.0/tcp/4001"), ("/ip6/2a00:1450::5/tcp/5001", "/ip6/::/tcp/4001")] {
            let own = ExternalAddress(address: try Multiaddr(address), listenAddress: try Multiaddr(address), basis: .listening)
            let environment = self.environment(.private, votes: [], state: .unreachable(since: .now), at: own)
            #expect(self.diagnosis(environment, circumstances).advice.contains { $0.contains(listen) && $0.contains("firewall") }, "\(address)")
            circumstances.isPortRandom = false
            #expect(self.diagnosis(environment, circumstances).advice.contains { $0.contains("let in TCP port 5001") }, "\(address)")
            circumstances.isPortRandom = true
        }
    }

    @Test("A machine at whose own address others get through has no NAT, though nobody has said what it sees")
    func noNAT() throws {
        let own = ExternalAddress(address: self.outside, listenAddress: self.outside, basis: .listening)
        var environment = self.environment(.public, votes: [], state: .reachable(since: .now), at: own)
        var diagnosis = self.diagnosis(environment)
        #expect(self.text("tcp-mapping", diagnosis).hasPrefix("TCP: no NAT"))
        #expect(self.works(diagnosis)[.tcpHolePunch] == true)
        environment = self.environment(.unknown)
        environment.reachability.tcpMapping.evidence = [.init(observer: self.relay, local: self.outside, external: self.outside)]
        diagnosis = self.diagnosis(environment)
        #expect(self.text("tcp-mapping", diagnosis) == "TCP: no NAT on the way to 9.9.9.9:4001: it sees this machine's own address")
        environment = self.environment(.unknown)
        environment.udp = NATBehavior(mapping: .endpointIndependent, filtering: .endpointIndependent, isBehindNAT: false)
        #expect(self.text("tcp-mapping", self.diagnosis(environment)).contains("over UDP there is no NAT"))
    }

    @Test("The DHT is not said to be off where only the diagnosis leaves it out")
    func dht() {
        var circumstances = DiagnosisCircumstances()
        #expect(self.works(self.diagnosis(self.environment(.private)))[.dhtAssisted] == false)
        circumstances.leavesOutDHT = true
        #expect(self.works(self.diagnosis(self.environment(.private), circumstances))[.dhtAssisted] == .some(nil))
    }

    @Test("Routers and relays are told in short, each once")
    func shortNames() throws {
        let other = try Multiaddr("/ip6/2a00:1450::5/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN/p2p-circuit")
        let diagnosis = self.diagnosis(self.environment(.private, relays: [self.relay, other]))
        #expect(self.text("relays", diagnosis) == "reached through the relay 9.9.9.9:4001")
        #expect(try Multiaddr("/ip6zone/eth0/ip6/fe80::1").shortText == "fe80::1%eth0")
        #expect(try Multiaddr("/ip6/2a00:1450::5/tcp/443/tls/ws").shortText == "[2a00:1450::5]:443")
        #expect(try Multiaddr("/dns4/example.org/tcp/4001").shortText == "example.org:4001")
        #expect(try Multiaddr("/p2p-circuit").shortText == "/p2p-circuit")
    }

    @Test("A public IPv6 address of the machine is noticed, a private one is none")
    func ipv6() throws {
        var environment = self.environment(.private)
        environment.listenAddresses.append(try Multiaddr("/ip6/fd00::5/tcp/4001"))
        #expect(self.weights(self.diagnosis(environment))["ipv6"] == .neutral)
        environment.listenAddresses.append(try Multiaddr("/ip6/2a00:1450::5/tcp/4001"))
        #expect(self.weights(self.diagnosis(environment))["ipv6"] == .good)
    }
}
