import DIGCircuitRelay
import DIGMultiformats
import DIGNet
import DIGSTUN
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
        status.gateways = [
            PortMapperStatus.GatewayStatus(
                family: .ip4, address: self.gateway, interface: "eth0", externalAddress: isDoubleNAT ? try Multiaddr("/ip4/100.64.0.9") : nil,
                isDoubleNAT: isDoubleNAT, findings: [.init(method: .upnp, outcome: outcome)], failures: [])
        ]
        return status
    }

    private func diagnosis(_ environment: NATEnvironment) -> Diagnosis {
        let policy = AddressPolicy()
        return Diagnosis(environment, isPublic: policy.isPublic)
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
        #expect(self.diagnosis(self.environment(.unknown, servers: 2)).findings.first?.text.contains("2 peers were asked") == true)
    }

    @Test("Routers: none, one that opens ports, one that does not, one behind another NAT")
    func routers() throws {
        #expect(self.weights(self.diagnosis(self.environment(.private)))["port-mapping"] == .neutral)
        let none = self.diagnosis(self.environment(.private, ports: PortMapperStatus()))
        #expect(none.findings.contains { $0.topic == "port-mapping" && $0.text.contains("no default route") })

        let open = self.diagnosis(self.environment(.private, ports: try self.router(.available)))
        #expect(self.weights(open)["port-mapping"] == .good)
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
        environment.udp = NATBehavior(isUDPBlocked: true)
        #expect(self.weights(self.diagnosis(environment))["udp-nat"] == .bad)
        environment.udp = nil
        environment.udpProblem = "no name"
        #expect(self.weights(self.diagnosis(environment))["udp-nat"] == .neutral)
        #expect(self.diagnosis(environment).findings.contains { $0.text.hasSuffix("no name") })
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
