import DIGAutoNAT
import DIGPortMapping

/// What a diagnosis is worth waiting for: what somebody who was asked may still say.
package struct DiagnosisQuestions: OptionSet, Hashable, Sendable {
    package let rawValue: Int

    /// Contacts that neither answered nor failed, or have not said yet what they can do.
    package static let contacts = Self(rawValue: 1)
    /// What the router opens.
    package static let ports = Self(rawValue: 2)
    /// What the NAT does to UDP.
    package static let udp = Self(rawValue: 4)
    /// Who gets through.
    package static let reachability = Self(rawValue: 8)
    /// What the NAT does to TCP.
    package static let mapping = Self(rawValue: 16)
    /// A place at a relay.
    package static let relays = Self(rawValue: 32)

    /// Those that may stay open for ever, because who could answer need not.
    package static let minor: Self = [.mapping, .relays]

    package init(rawValue: Int) { self.rawValue = rawValue }

    package init(_ environment: NATEnvironment, contacts: [DiagnosisCircumstances.Contact], asksForPorts: Bool, wantsUDP: Bool) {
        self = []
        let connected = contacts.filter { $0.outcome == .connected }
        if contacts.contains(where: { $0.outcome == .pending }) || connected.contains(where: { $0.tests == nil }) { self.insert(.contacts) }
        if asksForPorts, let ports = environment.portMapping, !Self.isKnown(ports) { self.insert(.ports) }
        if wantsUDP, environment.udp == nil, environment.udpProblem == nil { self.insert(.udp) }
        if environment.tier == .unknown, connected.contains(where: { $0.tests == true }), !environment.reachability.haveAllSaid {
            self.insert(.reachability)
        }
        let mapping = environment.reachability.tcpMapping
        if connected.count >= 2, mapping.behavior == .unknown, mapping.evidence.count < connected.count { self.insert(.mapping) }
        if environment.tier != .directCapable, environment.relayAddresses.isEmpty, !connected.isEmpty { self.insert(.relays) }
    }

    private static func isKnown(_ ports: PortMapperStatus) -> Bool {
        guard ports.hasLookedForGateways, !ports.isSearching else { return false }
        return ports.gateways.allSatisfy { gateway in
            let speaks = gateway.findings.contains { $0.outcome == .available }
            return !speaks || gateway.isDoubleNAT || !gateway.failures.isEmpty || ports.mappings.contains { $0.family == gateway.family }
        }
    }
}
