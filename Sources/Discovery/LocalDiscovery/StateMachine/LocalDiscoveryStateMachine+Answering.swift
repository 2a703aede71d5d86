import DIGIdentity
import DIGMultiformats

// What others ask, and what they are answered.
extension LocalDiscoveryStateMachine {
    mutating func receivedQuery(
        _ message: DNSMessage, from source: Source, on id: InterfaceID, now: Instant,
        using generator: inout some RandomNumberGenerator
    ) {
        guard var interface = self.interfaces[id] else { return }
        var wanted = Answers()
        var contents: [LocalKey] = []
        var wantsUnicast = true
        for question in message.questions {
            let answers = self.answers(to: question)
            wanted.formUnion(answers)
            let content = self.content(of: question)
            if let content, !contents.contains(content), contents.count < Self.maximumContentsPerMessage { contents.append(content) }
            if content != nil || !answers.isEmpty { wantsUnicast = wantsUnicast && question.prefersUnicast }
        }
        // RFC 6762 §7.1: not if the asker knows the answer and will for another half of its life.
        for record in message.answers where record.value == .pointer(self.instanceName) && record.lifetimeSeconds >= self.lifetimeSeconds / 2 {
            if record.name == Self.serviceName { wanted.remove(.pointer) }
            if !contents.isEmpty, let known = LocalKey(record.name) { contents.removeAll { $0 == known } }
        }
        guard !wanted.isEmpty || !contents.isEmpty else { return }

        let isSimpleResolver = source.port != self.configuration.port
        // §5.4: what the group has not heard for long it is told again, for everybody's sake. It is never told of contents that nobody asked for.
        let isNews = !wanted.isEmpty && interface.lastResponse.map { now - $0 > .seconds(Int64(self.lifetimeSeconds)) / 4 } ?? true
        if isSimpleResolver || (wantsUnicast && source.isOnLink && !isNews) {
            // §11: nothing leaves the link.
            guard source.isOnLink, Self.mayAnswerByUnicast(&interface, now: now) else {
                self.interfaces[id] = interface
                return
            }
            interface.unicastAnswers.append(
                UnicastAnswer(
                    to: source, wanted: wanted, contents: contents, identifier: message.identifier,
                    repeatedQuestions: isSimpleResolver ? message.questions : nil,
                    at: now + Self.randomDelay(in: Self.responseDelay, using: &generator)))
        } else {
            let range = message.isTruncated ? Self.truncatedResponseDelay : Self.responseDelay
            let soonest = now + Self.randomDelay(in: range, using: &generator)
            let allowed = interface.lastResponse.map { $0 + Self.minimumResponseInterval } ?? soonest
            interface.pendingAnswers.formUnion(wanted)
            for content in contents where !interface.pendingContents.contains(content) && interface.pendingContents.count < Self.maximumContentsPerMessage {
                interface.pendingContents.append(content)
            }
            interface.answerAt = interface.answerAt ?? max(soonest, allowed)
        }
        self.interfaces[id] = interface
    }

    private static func mayAnswerByUnicast(_ interface: inout Interface, now: Instant) -> Bool {
        if let window = interface.unicastWindow, now - window < .seconds(1) {
            guard interface.unicastCount < Self.maximumUnicastResponsesPerSecond else { return false }
            interface.unicastCount += 1
        } else {
            interface.unicastWindow = now
            interface.unicastCount = 1
        }
        return true
    }

    /// Sends the answers whose moment has come.
    mutating func answer(on id: InterfaceID, _ interface: inout Interface, now: Instant) {
        if let answerAt = interface.answerAt, now >= answerAt {
            if let response = self.response(to: interface.pendingAnswers, contents: interface.pendingContents, isLoopback: interface.isLoopback) {
                self.put(.send(response, on: id, to: .group))
                interface.lastResponse = now
                self.hasTold(interface.pendingContents, now: now)
            }
            interface.pendingAnswers = []
            interface.pendingContents = []
            interface.answerAt = nil
        }
        let due = interface.unicastAnswers.filter { now >= $0.at }
        guard !due.isEmpty else { return }
        interface.unicastAnswers.removeAll { now >= $0.at }
        for answer in due {
            guard var response = self.response(to: answer.wanted, contents: answer.contents, isLoopback: interface.isLoopback) else { continue }
            if let questions = answer.repeatedQuestions {
                // RFC 6762 §6.7: as an ordinary name server answers.
                response.identifier = answer.identifier
                response.questions = questions
                for index in response.answers.indices { Self.makeSimple(&response.answers[index]) }
                for index in response.additionals.indices { Self.makeSimple(&response.additionals[index]) }
            }
            self.put(.send(response, on: id, to: .unicast(answer.to)))
            interface.hasAnsweredByUnicast = true
            self.hasTold(answer.contents, now: now)
        }
    }

    private static func makeSimple(_ record: inout DNSRecord) {
        record.flushesCache = false
        record.lifetimeSeconds = min(record.lifetimeSeconds, Self.unicastLifetimeSeconds)
    }

    private func answers(to question: DNSQuestion) -> Answers {
        func isFor(_ types: DNSRecordType...) -> Bool { question.type == .any || types.contains(question.type) }
        switch question.name {
        case Self.serviceName where isFor(.pointer): return .pointer
        case Self.servicesName where isFor(.pointer): return .services
        case self.instanceName where isFor(.service, .text): return .instance
        case self.hostName where isFor(.a, .aaaa): return .host
        default: return []
        }
    }

    /// The content that is asked for, if it is here.
    private func content(of question: DNSQuestion) -> LocalKey? {
        guard self.configuration.answersForContents, question.type == .any || question.type == .pointer, let key = LocalKey(question.name),
            self.holds(key)
        else { return nil }
        return key
    }

    /// What we say on an interface; `nil` if we have no address there to speak of.
    func response(to wanted: Answers, contents: [LocalKey], isLoopback: Bool) -> DNSMessage? {
        let lifetime = self.lifetimeSeconds
        let announced = self.announcedAddresses(isLoopback: isLoopback)
        // What was withdrawn while the answer waited is not here.
        let contents = contents.filter(self.holds)
        guard !announced.isEmpty, !wanted.isEmpty || !contents.isEmpty else { return nil }
        func message(_ addresses: ArraySlice<Multiaddr>) -> DNSMessage {
            let instance = [
                DNSRecord(
                    name: self.instanceName,
                    value: .text(addresses.map { Array((Self.attributeKey + $0.description).utf8) } + self.attributes),
                    lifetimeSeconds: lifetime, flushesCache: true),
                DNSRecord(
                    name: self.instanceName, value: .service(port: Self.port(of: addresses), target: self.hostName),
                    lifetimeSeconds: lifetime, flushesCache: true),
            ]
            let host = Self.ipAddresses(of: addresses).map { value in
                DNSRecord(name: self.hostName, value: value, lifetimeSeconds: lifetime, flushesCache: true)
            }
            var message = DNSMessage(isResponse: true)
            if wanted.contains(.services) {
                message.answers.append(
                    DNSRecord(name: Self.servicesName, value: .pointer(Self.serviceName), lifetimeSeconds: lifetime))
            }
            if wanted.contains(.pointer) {
                message.answers.append(
                    DNSRecord(name: Self.serviceName, value: .pointer(self.instanceName), lifetimeSeconds: lifetime))
            }
            for content in contents {
                message.answers.append(DNSRecord(name: content.name, value: .pointer(self.instanceName), lifetimeSeconds: lifetime))
            }
            if wanted.contains(.instance) {
                message.answers += instance
            } else if wanted.contains(.pointer) || !contents.isEmpty {
                message.additionals += instance
            }
            if wanted.contains(.host) {
                message.answers += host
            } else if !wanted.isDisjoint(with: [.pointer, .instance]) || !contents.isEmpty {
                message.additionals += host
            }
            return message
        }
        // As many addresses as fit into a packet, the first ones first.
        var count = announced.count
        while true {
            let candidate = message(announced.prefix(count))
            var writer = DNSWriter()
            writer.write(candidate)
            if writer.bytes.count <= Self.maximumResponseByteCount || count == 1 { return candidate }
            count -= 1
        }
    }

    /// What the TXT record says beside the addresses.
    private var attributes: [[UInt8]] {
        (self.configuration.answersForContents ? [Array(Self.contentsAttribute.utf8)] : [])
            + (Self.checkedName(self.configuration.announceName).map { [Array((Self.nameAttributeKey + $0).utf8)] } ?? [])
    }

    /// A name to show: one line, not too long; nil if nothing of it is left.
    static func checkedName(_ name: String?) -> String? {
        guard let name else { return nil }
        var checked = ""
        for scalar in name.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse: continue
            default: break
            }
            guard checked.utf8.count + String(scalar).utf8.count <= Self.maximumNameByteCount else { break }
            checked.unicodeScalars.append(scalar)
        }
        return checked.isEmpty ? nil : checked
    }

    /// Our addresses that make sense to others on the interface, with our id at the end.
    private func announcedAddresses(isLoopback: Bool) -> [Multiaddr] {
        let own = self.addresses.lazy.filter { Self.isUseful($0, mayBeLoopback: isLoopback) }.map { $0.withPeerID(self.peer) }
        // RFC 1035 §3.3: a string of a TXT record has 255 bytes at most.
        return Array(own.filter { Self.attributeKey.utf8.count + $0.description.utf8.count <= 255 }.prefix(self.configuration.maximumAddressCount))
    }

    var lifetimeSeconds: UInt32 {
        UInt32(clamping: max(1, self.configuration.recordLifetime.components.seconds))
    }

    /// Begins with an IP address that can be reached from the same network, and leads straight to the peer: no name to look up,
    /// no relay.
    static func isUseful(_ address: Multiaddr, mayBeLoopback: Bool) -> Bool {
        guard !address.components.contains(.p2pCircuit) else { return false }
        let scope: AddressScope
        switch address.components.first {
        case .ip4(let ip): scope = ip.scope
        case .ip6(let ip) where ip.scope == .linkLocal: return false  // useless without a zone, which differs for each machine
        case .ip6(let ip): scope = ip.scope
        default: return false
        }
        switch scope {
        case .global, .private, .linkLocal, .carrierGradeNAT, .documentation: return address.components.count > 1
        case .loopback: return mayBeLoopback && address.components.count > 1
        case .multicast, .unspecified, .reserved: return false
        }
    }

    /// The port that an SRV record needs; libp2p's readers ignore it.
    private static func port(of addresses: ArraySlice<Multiaddr>) -> UInt16 {
        for component in addresses.lazy.flatMap(\.components) {
            switch component {
            case .tcp(let port), .udp(let port): return port
            default: continue
            }
        }
        return 0
    }

    private static func ipAddresses(of addresses: ArraySlice<Multiaddr>) -> [DNSRecord.Value] {
        var values: [DNSRecord.Value] = []
        for address in addresses {
            let value: DNSRecord.Value
            switch address.components.first {
            case .ip4(let ip): value = .a(ip)
            case .ip6(let ip): value = .aaaa(ip)
            default: continue
            }
            if !values.contains(value) { values.append(value) }
        }
        return values
    }
}
