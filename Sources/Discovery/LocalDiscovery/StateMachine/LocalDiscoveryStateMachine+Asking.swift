import DIGIdentity
import DIGMultiformats

// Who else is there.
extension LocalDiscoveryStateMachine {
    mutating func query(on id: InterfaceID, now: Instant) -> DNSMessage {
        var message = DNSMessage(isResponse: false, questions: [DNSQuestion(name: Self.serviceName, type: .pointer)])
        let known = self.entries.filter { $0.value.interface == id }.sorted { $0.value.expires > $1.value.expires }
        for (name, entry) in known {
            if entry.peer == nil {
                guard !entry.isTextQueried, message.questions.count <= Self.maximumTextQuestionCount else { continue }
                self.entries[name]?.isTextQueried = true
                message.questions.append(DNSQuestion(name: name, type: .text))
            } else if message.answers.count < Self.maximumKnownAnswerCount, now < entry.halfLife {
                message.answers.append(
                    DNSRecord(
                        name: Self.serviceName, value: .pointer(name),
                        lifetimeSeconds: UInt32(clamping: (entry.expires - now).components.seconds)))
            }
        }
        return message
    }

    /// RFC 6762 §5.2: asks once more when four fifths of a record's life are over.
    mutating func refreshEntries(now: Instant) {
        for (name, entry) in self.entries {
            guard let refreshAt = entry.refreshAt, now >= refreshAt else { continue }
            self.entries[name]?.refreshAt = nil
            self.askSooner(on: entry.interface, at: now)
        }
    }

    /// Brings the next query forward, but not closer than a second to the last one (RFC 6762 §5.2).
    mutating func askSooner(on id: InterfaceID, at instant: Instant) {
        guard let interface = self.interfaces[id] else { return }
        let allowed = max(instant, interface.lastQuery.map { $0 + Self.initialQueryInterval } ?? instant)
        self.interfaces[id]?.nextQuery = min(interface.nextQuery, allowed)
    }
}
