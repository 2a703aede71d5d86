import DIGAutoNAT
import DIGCircuitRelay
public import DIGMultiformats
import DIGPortMapping
import DIGSTUN

/// What ``NATEnvironment`` means for a person: findings, the methods that will work, and what to change.
public struct Diagnosis: Hashable, Sendable {
    /// One thing found out about the network.
    public struct Finding: Hashable, Sendable {
        /// What it means for being reached.
        public enum Weight: String, Hashable, Sendable {
            case good, neutral, bad
        }

        /// A word that programs can rely on.
        public var topic: String
        public var weight: Weight
        public var text: String
    }

    /// Whether a method can be expected to work here.
    public struct Outlook: Hashable, Sendable {
        public var method: TraversalMethod
        /// Nil: it depends on the peer, or is not known.
        public var works: Bool?
        public var reason: String
    }

    public var findings: [Finding] = []
    public var outlooks: [Outlook] = []
    /// What its owner can do to be reached better; empty if there is nothing.
    public var advice: [String] = []

    /// - Parameter isPublic: Which addresses everybody can reach.
    public init(_ environment: NATEnvironment, isPublic: (Multiaddr) -> Bool) {
        self.reachability(environment)
        self.mapping(environment.reachability.tcpMapping, behavior: environment.udp, problem: environment.udpProblem)
        self.ports(environment)
        self.relays(environment)
        let hasIPv6 = environment.hasPublicIPv6(isPublic)
        self.findings.append(
            .init(topic: "ipv6", weight: hasIPv6 ? .good : .neutral, text: hasIPv6 ? "IPv6: this machine has a public address" : "IPv6: no public address"))
        self.outlook(environment)
    }

    // MARK: Findings

    private mutating func reachability(_ environment: NATEnvironment) {
        let snapshot = environment.reachability
        switch environment.tier {
        case .directCapable:
            let list = snapshot.reachableAddresses.map(\.description).joined(separator: ", ")
            self.findings.append(.init(topic: "reachability", weight: .good, text: "everybody can reach this node at \(list)"))
        case .natRestricted:
            let seen = snapshot.addresses.filter { $0.state.isUnreachable }.map { "\($0.external.address)" }.joined(separator: ", ")
            self.findings.append(.init(topic: "reachability", weight: .bad, text: "nobody gets through to this node\(seen.isEmpty ? "" : " at \(seen)")"))
        case .unknown:
            let servers = snapshot.v1Servers + snapshot.v2Servers
            let votes = snapshot.addresses.flatMap(\.votes)
            let text =
                if servers == 0 {
                    "nobody is connected who could test whether this node can be reached"
                } else if votes.isEmpty {
                    "\(servers) peers were asked whether this node can be reached, and have not said"
                } else {
                    "it is not certain yet whether this node can be reached: \(votes.count { $0.isReachable }) of \(votes.count) tests got through"
                }
            self.findings.append(.init(topic: "reachability", weight: .neutral, text: text))
            if servers == 0 { self.advice.append("name a relay or any public node with --relay: it also tests whether this node can be reached") }
        }
    }

    private mutating func mapping(_ tcp: TCPMapping, behavior: NATBehavior?, problem: String?) {
        switch tcp.behavior {
        case .unknown: self.findings.append(.init(topic: "tcp-mapping", weight: .neutral, text: "TCP: too few peers have said how they see this node"))
        case .untranslated: self.findings.append(.init(topic: "tcp-mapping", weight: .good, text: "TCP: no NAT"))
        case .endpointIndependent:
            self.findings.append(.init(topic: "tcp-mapping", weight: .good, text: "TCP: the NAT keeps one port for all peers: hole punching works"))
        case .endpointDependent:
            self.findings.append(
                .init(topic: "tcp-mapping", weight: .bad, text: "TCP: the NAT takes another port for each peer (symmetric): hole punching works only with peers behind open NATs"))
        }
        guard let behavior else {
            if let problem { self.findings.append(.init(topic: "udp-nat", weight: .neutral, text: "UDP: the STUN servers did not help: \(problem)")) }
            return
        }
        let type = behavior.type
        let (weight, text): (Finding.Weight, String) =
            switch type {
            case .blocked, .symmetric: (.bad, "\(type)")
            case .unknown where behavior.isBehindNAT == false: (.neutral, "no NAT; one plain STUN server cannot show what is let in")
            case .unknown: (.neutral, "too few STUN servers answered to tell what the NAT does")
            case .open, .firewall, .fullCone, .addressRestricted, .portRestricted, .cone: (.good, "\(type)")
            }
        self.findings.append(.init(topic: "udp-nat", weight: weight, text: "UDP: \(text)"))
    }

    private static let doubleNATAdvice = "ask the provider for a public address, or use IPv6: the NAT above the router is not yours to configure"

    private mutating func ports(_ environment: NATEnvironment) {
        guard let status = environment.portMapping else {
            self.findings.append(.init(topic: "port-mapping", weight: .neutral, text: "port mapping is switched off"))
            return
        }
        guard !status.gateways.isEmpty else {
            self.findings.append(.init(topic: "port-mapping", weight: .neutral, text: "no router to ask for a port: this machine has no default route"))
            return
        }
        for gateway in status.gateways {
            let available = gateway.findings.filter { $0.outcome == .available }
            if available.isEmpty {
                let reasons = gateway.findings.map { finding in "\(finding.method): \(finding.error.map { "\($0)" } ?? finding.outcome.rawValue)" }
                self.findings.append(.init(topic: "port-mapping", weight: .bad, text: "the router \(gateway.address) opens no ports (\(reasons.joined(separator: "; ")))"))
                if environment.tier == .natRestricted { self.advice.append("switch on UPnP or NAT-PMP in the router \(gateway.address), or forward a port to this machine") }
            } else if gateway.isDoubleNAT {
                let external = gateway.externalAddress.map { " (\($0))" } ?? ""
                self.findings.append(
                    .init(topic: "double-nat", weight: .bad, text: "the router \(gateway.address) is behind another NAT\(external): the ports it opens lead nowhere"))
                self.advice.append(Self.doubleNATAdvice)
            } else if let failure = gateway.failures.last, !status.mappings.contains(where: { $0.id == failure.id }) {
                let reasons = failure.attempts.map { "\($0.method): \($0.error)" }.joined(separator: "; ")
                self.findings.append(
                    .init(
                        topic: "port-mapping", weight: .bad,
                        text: "the router \(gateway.address) speaks \(available.map { "\($0.method)" }.joined(separator: ", ")), but opens no port (\(reasons))"))
                guard gateway.family == .ip4, failure.attempts.contains(where: { $0.error.code == .noExternalAddress }),
                    environment.reachability.addresses.contains(where: { $0.external.basis >= .observed })
                else { continue }
                // It has no address of the internet, and yet we get there.
                self.findings.append(
                    .init(topic: "double-nat", weight: .bad, text: "the router \(gateway.address) has no public address: it is behind another NAT, and the ports it opens lead nowhere"))
                self.advice.append(Self.doubleNATAdvice)
            } else {
                self.findings.append(
                    .init(topic: "port-mapping", weight: .good, text: "the router \(gateway.address) opens ports by \(available.map { "\($0.method)" }.joined(separator: ", "))"))
            }
        }
        for mapping in status.mappings {
            self.findings.append(.init(topic: "mapped", weight: mapping.isPublic ? .good : .bad, text: "mapped: \(mapping.external) by \(mapping.method)"))
        }
    }

    private mutating func relays(_ environment: NATEnvironment) {
        if environment.relayService.isEnabled {
            let statistics = environment.relayService
            self.findings.append(
                .init(
                    topic: "relay-service", weight: .good,
                    text: "relays for others: \(statistics.reservations) places taken, \(statistics.circuits) circuits open, \(statistics.bytesRelayed) bytes so far"))
        }
        guard environment.tier != .directCapable else { return }
        if environment.relayAddresses.isEmpty {
            self.findings.append(.init(topic: "relays", weight: .bad, text: "no relay takes connections for this node"))
            self.advice.append("name a relay with --relay, so that peers behind NATs find a way in")
        } else {
            self.findings.append(.init(topic: "relays", weight: .good, text: "reached through \(environment.relayAddresses.map(\.description).joined(separator: ", "))"))
        }
    }

    // MARK: Methods

    private mutating func outlook(_ environment: NATEnvironment) {
        let isDirect = environment.tier == .directCapable
        self.outlooks = TraversalMethod.allCases.map { method in
            switch method {
            case .local: Outlook(method: method, works: true, reason: "with peers on the same network")
            case .direct:
                Outlook(method: method, works: isDirect ? true : nil, reason: isDirect ? "in both directions" : "to peers that everybody can reach")
            case .portMapping:
                if environment.portMapping?.mappings.contains(where: \.isPublic) == true {
                    Outlook(method: method, works: true, reason: "the router opened a port")
                } else {
                    Outlook(method: method, works: false, reason: "the router opened no port that others reach")
                }
            case .tcpHolePunch, .tcpSimultaneousOpen:
                switch environment.reachability.tcpMapping.behavior {
                case .endpointIndependent, .untranslated: Outlook(method: method, works: true, reason: "with peers behind NATs that keep their ports")
                case .endpointDependent: Outlook(method: method, works: nil, reason: "only with peers behind open NATs: this NAT takes another port for each peer")
                case .unknown: Outlook(method: method, works: nil, reason: "how the NAT maps TCP is not known")
                }
            case .circuitRelay:
                Outlook(
                    method: method, works: isDirect || !environment.relayAddresses.isEmpty ? true : nil,
                    reason: isDirect ? "not needed to be reached" : environment.relayAddresses.isEmpty ? "to peers that have a relay" : "in both directions")
            case .webSocket: Outlook(method: method, works: nil, reason: "to peers that listen for it")
            case .dhtAssisted:
                if !environment.signaling.contains(TraversalMethod.dhtSignaling) {
                    Outlook(method: method, works: false, reason: "this node takes no part in a DHT that keeps mailboxes")
                } else if environment.reachability.tcpMapping.behavior == .endpointDependent {
                    Outlook(method: method, works: nil, reason: "only with peers behind open NATs: this NAT takes another port for each peer")
                } else {
                    Outlook(method: method, works: nil, reason: "to peers of the same DHT, without a relay")
                }
            }
        }
    }
}
