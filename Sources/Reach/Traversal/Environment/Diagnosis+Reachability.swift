import DIGAutoNAT
import DIGMultiformats
import DIGSTUN
import NIOCore

extension Diagnosis {
    // MARK: Who gets through

    mutating func reachability(_ environment: NATEnvironment, _ circumstances: DiagnosisCircumstances) {
        let snapshot = environment.reachability
        switch environment.tier {
        case .directCapable:
            self.find("reachability", .good, "everybody can reach this node at \(snapshot.reachableAddresses.map(\.description).joined(separator: ", "))")
        case .natRestricted:
            let closed = snapshot.addresses.filter { !$0.isIndependent && $0.votes.contains { $0.isReachable && !$0.isStranger } }
            if closed.isEmpty {
                let seen = Self.places(snapshot.addresses.filter(\.state.isUnreachable))
                self.find("reachability", .bad, "nobody gets through to this node\(seen.isEmpty ? "" : " at \(seen)")")
            } else {
                self.find(
                    "reachability", .bad,
                    "strangers do not get through to this node at \(Self.places(closed)): its NAT lets in only hosts that this node has contacted before")
            }
            self.adviseOnFirewall(snapshot, circumstances)
        case .unknown:
            self.unknownReachability(snapshot, circumstances)
            // Of one address it may be known already.
            self.adviseOnFirewall(snapshot, circumstances)
        }
    }

    private mutating func unknownReachability(_ snapshot: ReachabilitySnapshot, _ circumstances: DiagnosisCircumstances) {
        let servers = snapshot.v1Servers + snapshot.v2Servers
        let votes = snapshot.addresses.flatMap(\.votes)
        let candidates = snapshot.addresses.filter { $0.external.basis != .guessed }
        let passed = votes.count(where: \.isReachable)
        let text: String
        if !votes.isEmpty, passed == votes.count {
            let tests = votes.count == 1 ? "the only test" : "\(votes.count) of \(votes.count) tests"
            let who = votes.count == 1 ? "by a host" : "all by hosts"
            text =
                votes.contains(where: \.isStranger)
                ? "it is not certain yet whether this node can be reached: \(tests) got through, and more are needed"
                : "\(tests) got through to this node at \(Self.places(snapshot.addresses.filter { !$0.votes.isEmpty })), but \(who) that it had contacted before:"
                    + " whether its NAT lets in strangers is not known"
        } else if !votes.isEmpty, !snapshot.haveAllSaid {
            text = "it is not certain yet whether this node can be reached: \(passed) of \(votes.count) tests got through, others have not answered: give it more time with --timeout"
        } else if !votes.isEmpty {
            text = "it is not certain whether this node can be reached: \(passed) of \(votes.count) tests got through"
        } else if servers == 0 {
            text = "nobody is connected who could test whether this node can be reached"
            if circumstances.contacts.isEmpty || circumstances.contacts.contains(where: { $0.tests == false }) {
                self.advise("name a relay or any public node with --relay: it tests whether this node can be reached, and a relay is a way in for peers behind NATs")
            }
        } else if candidates.isEmpty {
            text = "\(Self.count(servers, "peer")) would test whether this node can be reached, but it is not known where: too few have said how they see it"
        } else if candidates.allSatisfy({ $0.refusals > 0 }) {
            text = "those who were asked would not test whether this node can be reached at \(Self.places(candidates))"
        } else {
            text = "\(Self.count(servers, "peer")) were asked whether this node can be reached, and have not said yet: give it more time with --timeout"
        }
        self.find("reachability", .neutral, text)
    }

    /// Addresses of this machine that everybody could reach, if something did not keep them out.
    private mutating func adviseOnFirewall(_ snapshot: ReachabilitySnapshot, _ circumstances: DiagnosisCircumstances) {
        let closed = snapshot.addresses.filter { $0.external.basis == .listening && $0.state.isUnreachable }.map(\.external.address)
        for address in closed {
            guard let port = address.tcpPort else { continue }
            let host = Multiaddr(components: Array(address.components.prefix(1))).shortText
            let isIPv6 = if case .ip6 = address.components.first { true } else { false }
            self.advise(
                "\(Self.fixedPort(port, isIPv6: isIPv6, circumstances)) for \(host) in the firewall of this machine and of the router before it")
        }
    }

    /// The beginning of a sentence that goes on with where.
    static func fixedPort(_ port: UInt16, isIPv6: Bool = false, verb: String = "let in", _ circumstances: DiagnosisCircumstances) -> String {
        circumstances.isPortRandom
            ? "listen on a fixed port with --listen \(isIPv6 ? "/ip6/::" : "/ip4/0.0.0.0")/tcp/4001, and \(verb) TCP port 4001" : "\(verb) TCP port \(port)"
    }

    static func count(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

    private static func places(_ addresses: [ReachabilitySnapshot.Address]) -> String {
        addresses.map(\.external.address.shortText).joined(separator: ", ")
    }

    // MARK: What the NAT does

    mutating func tcpMapping(_ environment: NATEnvironment) {
        let mapping = environment.reachability.tcpMapping
        switch mapping.behavior {
        case .untranslated: self.find("tcp-mapping", .good, "TCP: no NAT")
        case .endpointIndependent: self.find("tcp-mapping", .good, "TCP: the NAT keeps one port for all peers: hole punching works")
        case .endpointDependent:
            self.find(
                "tcp-mapping", .bad, "TCP: the NAT takes another port for each peer (symmetric): hole punching works only with peers behind open NATs")
        case .unknown:
            if let reached = environment.reachedWithoutNAT {
                self.find("tcp-mapping", .good, "TCP: no NAT: others get through to \(reached.shortText), an address of this machine")
            } else if let seen = mapping.evidence.first, mapping.isUntranslatedThroughout {
                self.find("tcp-mapping", .good, "TCP: no NAT on the way to \(seen.observer.shortText): it sees this machine's own address")
            } else if let seen = mapping.evidence.first, mapping.evidence.count == 1 {
                self.find(
                    "tcp-mapping", .neutral,
                    "TCP: behind a NAT, seen as \(seen.external.shortText) by one contact: it takes two to tell whether the NAT keeps its port for all peers")
            } else if !mapping.evidence.isEmpty {
                let views = mapping.evidence.map { "\($0.external.shortText) by \($0.observer.shortText)" }.joined(separator: ", ")
                self.find("tcp-mapping", .neutral, "TCP: too little to tell whether the NAT keeps its port for all peers: seen as \(views)")
            } else if environment.udp?.isBehindNAT == false {
                self.find("tcp-mapping", .neutral, "TCP: nobody has said how it sees this node; over UDP there is no NAT")
            } else {
                self.find("tcp-mapping", .neutral, "TCP: nobody has said how it sees this node: it takes two contacts to tell what the NAT does")
            }
        }
    }

    mutating func udp(_ environment: NATEnvironment) {
        guard let behavior = environment.udp else {
            if let problem = environment.udpProblem { self.find("udp-nat", .neutral, "UDP: the STUN servers did not help: \(problem)") }
            return
        }
        let type = behavior.type
        switch type {
        case .blocked:
            // From in here, a dead server and a wall look the same.
            let silent = behavior.evidence.filter { $0.question == .binding }.map { "\($0.destination.ipAddress ?? "?"):\($0.destination.port ?? 0)" }
            let who = silent.isEmpty ? "the STUN servers" : silent.joined(separator: ", ")
            self.find("udp-nat", .neutral, "UDP: no answer from \(who): \(silent.count == 1 ? "it is" : "they are") down, or this network lets no UDP through")
            self.advise("name \(silent.count == 1 ? "a second" : "another") STUN server with --stun, to tell a dead server from a network without UDP")
        case .symmetric: self.find("udp-nat", .bad, "UDP: \(type)")
        case .unknown where behavior.isBehindNAT == false:
            self.find("udp-nat", .neutral, "UDP: no NAT; one plain STUN server cannot show what is let in")
        case .unknown: self.find("udp-nat", .neutral, "UDP: too few STUN servers answered to tell what the NAT does")
        case .open, .firewall, .fullCone, .addressRestricted, .portRestricted, .cone: self.find("udp-nat", .good, "UDP: \(type)")
        }
    }
}

extension ReachabilitySnapshot {
    /// Whether all who were asked have been heard about every address that is more than a guess.
    package var haveAllSaid: Bool {
        let candidates = self.addresses.filter { $0.external.basis != .guessed }
        return !candidates.isEmpty && candidates.allSatisfy { $0.votes.count + $0.refusals >= self.v1Servers + self.v2Servers }
    }
}

extension NATEnvironment {
    /// An address of this machine at which others got through: no NAT is in between.
    var reachedWithoutNAT: Multiaddr? {
        self.reachability.addresses.first { $0.external.basis == .listening && $0.state.isReachable }?.external.address
    }
}

extension Multiaddr {
    var tcpPort: UInt16? {
        for case .tcp(let port) in self.components { return port }
        return nil
    }
}
