import DIGAutoNAT
import DIGCircuitRelay
import DIGMultiformats
import DIGPortMapping

extension Diagnosis {
    private static let doubleNATAdvice = "ask the provider for a public address, or use IPv6: the NAT above the router is not yours to configure"

    // MARK: The router

    mutating func ports(_ environment: NATEnvironment, _ circumstances: DiagnosisCircumstances) {
        guard let status = environment.portMapping else {
            self.find("port-mapping", .neutral, "port mapping is switched off")
            self.adviseOnForwarding(nil, environment, circumstances)
            return
        }
        guard !status.gateways.isEmpty else {
            let text = status.hasLookedForGateways ? "no router to ask for a port: this machine has no default route" : "no router was looked for yet"
            self.find("port-mapping", .neutral, text)
            return
        }
        for gateway in status.gateways { self.gateway(gateway, status, environment, circumstances) }
        for mapping in status.mappings {
            self.find("mapped", mapping.isPublic ? .good : .bad, "mapped: \(mapping.external.shortText) by \(mapping.method)")
        }
    }

    private mutating func gateway(
        _ gateway: PortMapperStatus.GatewayStatus, _ status: PortMapperStatus, _ environment: NATEnvironment, _ circumstances: DiagnosisCircumstances
    ) {
        let router = "the router \(gateway.address.shortText)"
        let available = gateway.findings.filter { $0.outcome == .available }.map { "\($0.method)" }.joined(separator: ", ")
        if available.isEmpty, gateway.findings.contains(where: { $0.outcome == .searching }) {
            self.find("port-mapping", .neutral, "\(router) has not said yet whether it opens ports")
        } else if available.isEmpty {
            let reasons = gateway.findings.map { finding in "\(finding.method): \(finding.error.map { "\($0)" } ?? finding.outcome.rawValue)" }.joined(separator: "; ")
            if environment.isPublicItself(gateway.family) {
                self.find("port-mapping", .neutral, "\(router) opens no ports, and need not: this machine has a public address (\(reasons))")
            } else {
                self.find("port-mapping", environment.tier == .directCapable ? .neutral : .bad, "\(router) opens no ports (\(reasons))")
                self.adviseOnForwarding(gateway, environment, circumstances)
            }
        } else if gateway.isDoubleNAT {
            let external = gateway.externalAddress.map { " (\($0.shortText))" } ?? ""
            self.find("double-nat", .bad, "\(router) is behind another NAT\(external): the ports it opens lead nowhere")
            self.advise(Self.doubleNATAdvice)
        } else if let failure = gateway.failures.last, !status.mappings.contains(where: { $0.id == failure.id }) {
            let reasons = failure.attempts.map { "\($0.method): \($0.error)" }.joined(separator: "; ")
            self.find("port-mapping", .bad, "\(router) speaks \(available), but opens no port (\(reasons))")
            if gateway.family == .ip4, failure.attempts.contains(where: { $0.error.code == .noExternalAddress }),
                environment.reachability.addresses.contains(where: { $0.external.basis >= .observed })
            {
                // It has no address of the internet, and yet we get there.
                self.find("double-nat", .bad, "\(router) has no public address: it is behind another NAT, and the ports it opens lead nowhere")
                self.advise(Self.doubleNATAdvice)
            } else {
                self.adviseOnForwarding(gateway, environment, circumstances)
            }
        } else if status.mappings.contains(where: { $0.family == gateway.family }) {
            self.find("port-mapping", .good, "\(router) opens ports by \(available)")
        } else {
            self.find("port-mapping", .neutral, "\(router) speaks \(available), and has opened no port yet")
        }
    }

    /// How the router's owner lets others in by hand.
    private mutating func adviseOnForwarding(
        _ gateway: PortMapperStatus.GatewayStatus?, _ environment: NATEnvironment, _ circumstances: DiagnosisCircumstances
    ) {
        guard environment.tier == .natRestricted, gateway.map({ $0.family == .ip4 }) ?? true,
            let behind = environment.reachability.addresses.first(where: { $0.external.basis >= .observed })?.external.listenAddress, let port = behind.tcpPort
        else { return }
        let machine = Multiaddr(components: Array(behind.components.prefix(1))).shortText
        let router = gateway.map { "the router \($0.address.shortText)" } ?? "the router"
        let byHand = "\(Self.fixedPort(port, verb: "forward", circumstances)) to \(machine) in \(router)"
        let bySwitch = gateway == nil ? "switch port mapping on with --port-mapping" : "switch on UPnP or NAT-PMP in \(router)"
        self.advise("\(bySwitch), or \(byHand)")
    }

    // MARK: Relays

    mutating func relays(_ environment: NATEnvironment, _ circumstances: DiagnosisCircumstances) {
        if environment.relayService.isEnabled {
            let statistics = environment.relayService
            self.find(
                "relay-service", .good,
                "relays for others: \(statistics.reservations) places taken, \(statistics.circuits) circuits open, \(statistics.bytesRelayed) bytes so far")
        }
        guard environment.tier != .directCapable else { return }
        let places = Self.relayPlaces(environment.relayAddresses)
        if places.isEmpty {
            self.find("relays", .bad, "no relay takes connections for this node")
            // Said already, where nobody is there at all.
            let isAdvised = circumstances.contacts.isEmpty ? environment.tier == .unknown && environment.reachability.hasNoServer : circumstances.contacts.allSatisfy(\.hasFailed)
            if !isAdvised { self.advise("name a relay with --relay, so that peers behind NATs find a way in") }
        } else {
            self.find("relays", .good, "reached through \(places.count == 1 ? "the relay" : "the relays") \(places.joined(separator: ", "))")
        }
    }

    /// Each relay once, however many addresses it has.
    private static func relayPlaces(_ addresses: [Multiaddr]) -> [String] {
        var seen: Set<[Multiaddr.Component]> = []
        return addresses.filter { address in
            let names = address.components.filter { if case .p2p = $0 { true } else { false } }
            return names.isEmpty || seen.insert(names).inserted
        }.map(\.shortText)
    }
}

extension NATEnvironment {
    /// Whether an address of this machine is one of the internet, as far as it was looked at.
    fileprivate func isPublicItself(_ family: AddressFamily) -> Bool {
        self.reachability.addresses.contains { entry in
            guard entry.external.basis == .listening else { return false }
            return switch (entry.external.address.components.first, family) {
            case (.ip4, .ip4), (.ip6, .ip6): true
            default: false
            }
        }
    }
}
