import DIGAutoNAT
import DIGMultiformats

extension Diagnosis {
    /// Who was named and is of no use, with the reason.
    mutating func contacts(_ circumstances: DiagnosisCircumstances) {
        let contacts = circumstances.contacts
        for contact in contacts {
            switch contact.outcome {
            case .pending: self.find("contact", .neutral, "\(contact.place): no connection yet")
            case .failed(let cause): self.find("contact", .bad, "\(contact.place) cannot be reached: \(cause)")
            case .connected where contact.tests == false:
                self.find("contact", .neutral, "\(contact.place) is connected, but does not test whether others can be reached")
            case .connected: continue
            }
        }
        guard !contacts.isEmpty, contacts.allSatisfy(\.hasFailed) else { return }
        self.advise("check that what was named still runs and can be reached, or name another contact with --relay or --bootstrap")
        // Nothing says that this is the reason, but then it is the only way.
        if !contacts.flatMap(\.addresses).contains(where: \.usesWebPort) {
            self.advise("if this network lets out nothing but the web's ports, name a relay that listens on port 443 or 80")
        }
    }

    /// What one contact more would settle, in one sentence.
    mutating func adviseOnOneMoreContact(_ environment: NATEnvironment) {
        var questions: [String] = []
        if environment.tier == .unknown {
            let votes = environment.reachability.addresses.flatMap(\.votes)
            if !votes.isEmpty, environment.reachability.haveAllSaid { questions.append(votes.allSatisfy(\.isReachable) ? "whether strangers get through" : "which of the tests is right") }
        }
        let mapping = environment.reachability.tcpMapping
        if mapping.behavior == .unknown, !mapping.evidence.isEmpty, !mapping.isUntranslatedThroughout { questions.append("whether the NAT keeps its port") }
        guard !questions.isEmpty else { return }
        self.advise("name one more contact, at another address, with --relay or --bootstrap: that settles \(questions.joined(separator: ", and "))")
    }
}

extension DiagnosisCircumstances.Contact {
    var hasFailed: Bool { if case .failed = self.outcome { true } else { false } }
}

extension ReachabilitySnapshot {
    var hasNoServer: Bool { self.v1Servers + self.v2Servers == 0 }
}

extension TCPMapping {
    /// Whether all who said so saw the very address that was dialed from.
    var isUntranslatedThroughout: Bool { !self.evidence.isEmpty && self.evidence.allSatisfy { $0.local == $0.external } }
}

extension Multiaddr {
    /// Whether it is at a port that nearly every network lets out.
    fileprivate var usesWebPort: Bool {
        self.components.contains { if case .tcp(let port) = $0 { port == 80 || port == 443 } else { false } }
    }
}
