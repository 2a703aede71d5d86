import NIOCore

/// Finds out how the NAT in front of one address family behaves: which questions to ask, and what the answers mean (RFC 5780 §4).
///
/// All servers are asked from the shared port. The first that has a second address (OTHER-ADDRESS) serves for the rest:
///
/// ```
/// shared port:  server ──▶ other address ──(seen differently)──▶ other address and port          mapping, §4.3
/// fresh port:   server ──▶ answer from other address and port │ answer from other port           filtering, §4.4
///                    └───▶ from a second port to what the fresh port is seen as                  hairpin, §3.4
/// ```
///
/// Filters are tried on a port used for nothing else: packets sent to the other address before, or a port mapping, would make them look more open than
/// they are. If no server has a second address, the answers of the servers are compared, which tells the mapping only.
///
/// Call ``poll()`` after the initializer and after each input until it returns nil.
struct NATBehaviorStateMachine {
    struct Question: Hashable {
        enum Port: Hashable {
            /// The one that the result is for.
            case shared
            case fresh
            /// Sends to what ``fresh`` is seen as.
            case second
        }

        var kind: NATEvidence.Question
        var port: Port
        var destination: SocketAddress
        var answersFrom: SocketAddress
        var change: STUNChangeRequest?
    }

    enum Output: Hashable {
        case ask(Question)
        case finished(NATBehavior)
    }

    /// Ours: servers asked; more are left out.
    static let maximumServerCount = 8

    private let localPort: Int?
    private let localAddresses: Set<String>
    private let servers: [SocketAddress]

    private var outputs: [Output] = []
    private var openQuestions: Set<Question> = []
    private var evidence: [NATEvidence] = []
    private var hasFinished = false

    /// What each server saw, in the order of the answers.
    private var bindings: [(server: SocketAddress, mapped: SocketAddress)] = []
    /// The server with a second address, and what it saw.
    private var chosen: (server: SocketAddress, other: SocketAddress, mapped: SocketAddress)?
    private var hasFreshQuestion = false
    private var fromOtherAddress: SocketAddress?
    private var chosenMapping = NATMapping.unknown
    /// Nil: not asked, or the answer proves nothing.
    private var filterPassed: [NATEvidence.Question: Bool] = [:]
    private var hairpins: Bool?

    /// - Parameters:
    ///   - servers: Of one address family.
    ///   - localPort: Of the shared port.
    ///   - localAddresses: The IP addresses of this machine, as text.
    init(servers: [SocketAddress], localPort: Int?, localAddresses: Set<String>) {
        var distinct: [SocketAddress] = []
        for server in servers where !distinct.contains(server) { distinct.append(server) }
        self.servers = Array(distinct.prefix(Self.maximumServerCount))
        self.localPort = localPort
        self.localAddresses = localAddresses
        for server in self.servers { self.ask(.binding, .shared, server) }
        self.proceed()
    }

    mutating func poll() -> Output? {
        self.outputs.isEmpty ? nil : self.outputs.removeFirst()
    }

    // MARK: Inputs

    /// An answer came from where it had to.
    mutating func answered(_ question: Question, _ binding: STUNBinding) {
        guard self.openQuestions.remove(question) != nil else { return }
        self.record(question, question.kind == .hairpin ? .arrived : .mapped(binding.mapped))
        switch question.kind {
        case .binding:
            self.bindings.append((question.destination, binding.mapped))
            if self.chosen == nil, let other = binding.otherAddress {
                self.chosen = (question.destination, other, binding.mapped)
                self.ask(.mappingToOtherAddress, .shared, Self.combining(other, portOf: question.destination))
                self.askFresh(question.destination)
            }
        case .mappingToOtherAddress:
            self.fromOtherAddress = binding.mapped
            guard let chosen = self.chosen else { break }
            if binding.mapped == chosen.mapped {
                self.chosenMapping = .endpointIndependent
            } else {
                self.ask(.mappingToOtherAddressAndPort, .shared, chosen.other)
            }
        case .mappingToOtherAddressAndPort:
            self.chosenMapping = binding.mapped == self.fromOtherAddress ? .addressDependent : .addressAndPortDependent
        case .freshBinding:
            if let chosen = self.chosen, chosen.server == question.destination {
                self.ask(
                    .filteringFromOtherAddress, .fresh, chosen.server, answersFrom: chosen.other,
                    change: STUNChangeRequest(changesAddress: true, changesPort: true))
                self.ask(
                    .filteringFromOtherPort, .fresh, chosen.server, answersFrom: Self.combining(chosen.server, portOf: chosen.other),
                    change: STUNChangeRequest(changesAddress: false, changesPort: true))
            }
            self.ask(.hairpin, .second, binding.mapped)
        case .filteringFromOtherAddress, .filteringFromOtherPort:
            self.filterPassed[question.kind] = true
        case .hairpin:
            self.hairpins = true
        }
        self.proceed()
    }

    /// No answer that counts came.
    mutating func failed(_ question: Question, _ error: STUNError) {
        guard self.openQuestions.remove(question) != nil else { return }
        self.record(question, .failed(error))
        switch question.kind {
        case .filteringFromOtherAddress, .filteringFromOtherPort:
            // Silence is the filter. Anything else is a server that does not do what it says.
            if error.code == .timedOut { self.filterPassed[question.kind] = false }
        case .hairpin:
            if error.code == .timedOut { self.hairpins = false }
        case .binding, .mappingToOtherAddress, .mappingToOtherAddressAndPort, .freshBinding:
            break
        }
        self.proceed()
    }

    // MARK: Questions

    private mutating func ask(
        _ kind: NATEvidence.Question, _ port: Question.Port, _ destination: SocketAddress, answersFrom: SocketAddress? = nil,
        change: STUNChangeRequest? = nil
    ) {
        let question = Question(kind: kind, port: port, destination: destination, answersFrom: answersFrom ?? destination, change: change)
        self.openQuestions.insert(question)
        self.outputs.append(.ask(question))
    }

    private mutating func askFresh(_ server: SocketAddress) {
        guard !self.hasFreshQuestion else { return }
        self.hasFreshQuestion = true
        self.ask(.freshBinding, .fresh, server)
    }

    private mutating func record(_ question: Question, _ outcome: NATEvidence.Outcome) {
        self.evidence.append(
            NATEvidence(question: question.kind, destination: question.destination, answersFrom: question.answersFrom, outcome: outcome))
    }

    private mutating func proceed() {
        guard self.openQuestions.isEmpty, !self.hasFinished else { return }
        // No server has a second address: hairpinning can be tried all the same.
        if !self.hasFreshQuestion, let first = self.bindings.first {
            self.askFresh(first.server)
            return
        }
        self.hasFinished = true
        self.outputs.append(.finished(self.behavior))
    }

    private static func combining(_ address: SocketAddress, portOf other: SocketAddress) -> SocketAddress {
        var address = address
        address.port = other.port
        return address
    }

    // MARK: Conclusions

    private var behavior: NATBehavior {
        var external: [SocketAddress] = []
        for binding in self.bindings where !external.contains(binding.mapped) { external.append(binding.mapped) }
        let ports = Set(self.bindings.map(\.mapped.port))
        let isTranslated = self.bindings.contains { binding in
            binding.mapped.port != self.localPort || !(binding.mapped.ipAddress.map { self.localAddresses.contains($0) } ?? false)
        }
        return NATBehavior(
            mapping: self.mapping(isTranslated: isTranslated), filtering: self.filtering, preservesPort: self.bindings.isEmpty ? nil : ports == [self.localPort],
            hairpins: self.hairpins, external: external, isUDPBlocked: self.isBlocked, isBehindNAT: self.bindings.isEmpty ? nil : isTranslated,
            evidence: self.evidence)
    }

    /// Silence from everybody. A server that refuses, or tells nonsense, got our packet.
    private var isBlocked: Bool {
        self.bindings.isEmpty && !self.servers.isEmpty
            && self.evidence.allSatisfy { if case .failed(let error) = $0.outcome { error.code == .timedOut } else { false } }
    }

    /// The more dependent of what one server with two addresses shows and of what the servers show together.
    private func mapping(isTranslated: Bool) -> NATMapping {
        guard !self.bindings.isEmpty else { return .unknown }
        if !isTranslated { return .endpointIndependent }
        let order: [NATMapping] = [.unknown, .endpointIndependent, .addressDependent, .addressAndPortDependent]
        return [self.chosenMapping, self.comparedMapping].max { (order.firstIndex(of: $0) ?? 0) < (order.firstIndex(of: $1) ?? 0) } ?? .unknown
    }

    private var comparedMapping: NATMapping {
        var result = NATMapping.unknown
        for (index, first) in self.bindings.enumerated() {
            for second in self.bindings[(index + 1)...] {
                switch (first.mapped == second.mapped, first.server.ipAddress == second.server.ipAddress) {
                case (true, false):
                    if result == .unknown { result = .endpointIndependent }
                case (false, true):
                    return .addressAndPortDependent
                case (false, false):
                    // One address asked at two ports tells which of the two it is.
                    result = self.isSamePerAddress ? .addressDependent : .addressAndPortDependent
                case (true, true):
                    break
                }
            }
        }
        return result
    }

    /// Whether two ports of one server's address saw the same.
    private var isSamePerAddress: Bool {
        var isSame = false
        for (index, first) in self.bindings.enumerated() {
            for second in self.bindings[(index + 1)...] where first.server.ipAddress == second.server.ipAddress {
                guard first.mapped == second.mapped else { return false }
                isSame = true
            }
        }
        return isSame
    }

    private var filtering: NATFiltering {
        switch (self.filterPassed[.filteringFromOtherAddress], self.filterPassed[.filteringFromOtherPort]) {
        case (true, _): .endpointIndependent
        case (false, true): .addressDependent
        case (false, false): .addressAndPortDependent
        default: .unknown
        }
    }
}
