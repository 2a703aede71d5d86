import DIGAutoNAT
import DIGMultiformats
import DIGPortMapping
import DIGSTUN

extension Diagnosis {
    static func outlooks(_ environment: NATEnvironment, _ circumstances: DiagnosisCircumstances) -> [Outlook] {
        let isDirect = environment.tier == .directCapable
        return TraversalMethod.allCases.map { method in
            switch method {
            case .local: Outlook(method: method, works: true, reason: "with peers on the same network")
            case .direct: Outlook(method: method, works: isDirect ? true : nil, reason: isDirect ? "in both directions" : "to peers that everybody can reach")
            case .portMapping: Self.portMapping(environment)
            case .tcpHolePunch, .tcpSimultaneousOpen: Self.punch(method, environment)
            case .circuitRelay:
                Outlook(
                    method: method, works: isDirect || !environment.relayAddresses.isEmpty ? true : nil,
                    reason: isDirect ? "not needed to be reached" : environment.relayAddresses.isEmpty ? "to peers that have a relay" : "in both directions")
            case .webSocket: Outlook(method: method, works: nil, reason: "to peers that listen for it")
            case .dhtAssisted: Self.dht(environment, circumstances)
            }
        }
    }

    private static func portMapping(_ environment: NATEnvironment) -> Outlook {
        func outlook(_ works: Bool?, _ reason: String) -> Outlook { Outlook(method: .portMapping, works: works, reason: reason) }
        guard let status = environment.portMapping else { return outlook(false, "port mapping is switched off") }
        if status.mappings.contains(where: \.isPublic) {
            let mapped = environment.reachability.addresses.filter { $0.external.basis == .mapped }
            if !mapped.isEmpty, mapped.allSatisfy(\.state.isUnreachable) { return outlook(false, "the router opened a port, but nobody gets through to it") }
            return outlook(true, "the router opened a port")
        }
        let isOpen = !status.hasLookedForGateways || status.isSearching
        return outlook(isOpen ? nil : false, isOpen ? "the router has not answered yet" : "the router opened no port that others reach")
    }

    private static let symmetric = "only with peers behind open NATs: this NAT takes another port for each peer"

    private static func punch(_ method: TraversalMethod, _ environment: NATEnvironment) -> Outlook {
        let mapping = environment.reachability.tcpMapping
        switch mapping.behavior {
        case .endpointIndependent, .untranslated: return Outlook(method: method, works: true, reason: "with peers behind NATs that keep their ports")
        case .endpointDependent: return Outlook(method: method, works: nil, reason: Self.symmetric)
        case .unknown:
            if environment.reachedWithoutNAT != nil || mapping.isUntranslatedThroughout {
                return Outlook(method: method, works: true, reason: "with peers behind NATs that keep their ports: here is no NAT")
            }
            let isOpen = environment.udp?.isBehindNAT == false
            return Outlook(
                method: method, works: nil,
                reason: isOpen ? "over UDP there is no NAT; nobody has said how it sees this node over TCP" : "whether the NAT keeps its port takes two contacts to tell")
        }
    }

    private static func dht(_ environment: NATEnvironment, _ circumstances: DiagnosisCircumstances) -> Outlook {
        if !environment.signaling.contains(TraversalMethod.dhtSignaling) {
            return circumstances.leavesOutDHT
                ? Outlook(method: .dhtAssisted, works: nil, reason: "not looked at: the DHT is left out of this, and used otherwise")
                : Outlook(method: .dhtAssisted, works: false, reason: "this node takes no part in a DHT that keeps mailboxes")
        }
        if environment.reachability.tcpMapping.behavior == .endpointDependent { return Outlook(method: .dhtAssisted, works: nil, reason: Self.symmetric) }
        return Outlook(method: .dhtAssisted, works: nil, reason: "to peers of the same DHT, without a relay")
    }
}
