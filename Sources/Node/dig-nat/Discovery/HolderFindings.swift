import DIGCommandLine
import DIGContent
import DIGDiscovery
import DIGIdentity
import DIGMultiformats

/// What a search for holders has brought: who, by which way, and how long each took.
struct HolderFindings {
    /// What a peer has said when it was asked itself.
    enum Answer: Hashable {
        case has
        case lacks
        case failed(String)
    }

    struct Holder: Hashable {
        var found: DiscoveredHolder
        /// After the beginning, by way.
        var times: [DiscoverySource: Duration]
        var answer: Answer?

        /// Nobody has signed that it has it: an unsigned record of the public DHT, which cannot be taken back, or a word in the local network.
        var isHearsay: Bool { self.found.sources.allSatisfy { $0 == .publicDHT || $0 == .local } }

        /// No more will be known: it was asked, or need not be.
        var isSettled: Bool { !self.isHearsay || self.answer != nil }

        /// Somebody says that it has it, and it has not denied that; or it says so itself.
        var counts: Bool {
            switch self.answer {
            case .has: true
            case .lacks: false
            case .failed, nil: self.found.isClaimed
            }
        }
    }

    struct End: Hashable {
        var source: DiscoverySource
        var outcome: DiscoveryOutcome
        var duration: Duration
    }

    /// In the order in which they were found.
    private(set) var order: [PeerID] = []
    private(set) var holders: [PeerID: Holder] = [:]
    /// The last of each way, in the order in which they first ended.
    private(set) var ends: [End] = []
    /// Who signed that the name means what, and who told.
    private(set) var bindings: [NameBinding: Set<PeerID>] = [:]

    /// Those that have it, as far as is known.
    var found: [Holder] { self.order.compactMap { self.holders[$0] }.filter(\.counts) }

    /// - Parameter elapsed: Since the beginning of the command.
    /// - Returns: The ways that have found it just now.
    mutating func found(_ holder: DiscoveredHolder, after elapsed: Duration) -> [DiscoverySource] {
        var known = self.holders[holder.peer]
        if known == nil { self.order.append(holder.peer) }
        let new = holder.sources.filter { known?.times[$0] == nil }
        known = known ?? Holder(found: holder, times: [:])
        for source in new { known?.times[source] = elapsed }
        known?.found = holder
        self.holders[holder.peer] = known
        return new
    }

    mutating func ended(_ source: DiscoverySource, _ outcome: DiscoveryOutcome, _ duration: Duration) {
        let end = End(source: source, outcome: outcome, duration: duration)
        if let index = self.ends.firstIndex(where: { $0.source == source }) { self.ends[index] = end } else { self.ends.append(end) }
    }

    mutating func answered(_ peer: PeerID, _ answer: Answer) { self.holders[peer]?.answer = answer }

    mutating func told(_ bindings: [NameBinding], by peer: PeerID) {
        for binding in bindings { self.bindings[binding, default: []].insert(peer) }
    }

    /// One line for each content that a name means: with its signers.
    var meanings: [(contentHash: ContentHash, signers: [PeerID], tellers: Set<PeerID>)] {
        Dictionary(grouping: self.bindings.keys, by: \.contentHash).map { hash, bindings in
            (
                hash, Set(bindings.map { $0.signer.peerID }).sorted { $0.description < $1.description },
                bindings.reduce(into: Set()) { $0.formUnion(self.bindings[$1] ?? []) }
            )
        }.sorted { $0.contentHash < $1.contentHash }
    }

    // MARK: Output

    static func line(_ holder: Holder) -> String {
        let ways = holder.found.sources.map { source in
            holder.times[source].map { "\(source.rawValue) \(DurationText.latency($0))" } ?? source.rawValue
        }
        let addresses = holder.found.addresses.isEmpty ? "no address known" : holder.found.addresses.map { TerminalText.singleLine($0.description) }.joined(separator: " ")
        var remarks: [String] = []
        if holder.isHearsay, holder.answer != .has { remarks.append("claimed only") }
        // What each method did is for "why".
        if case .failed(let reason) = holder.answer { remarks.append(TerminalText.singleLine(String(reason.prefix { $0 != "\n" }))) }
        let answer = remarks.isEmpty ? "" : "  (\(remarks.joined(separator: ": ")))"
        return "\(holder.found.peer)  \(ways.joined(separator: ", "))  \(addresses)\(answer)"
    }

    static func event(_ holder: Holder) -> JSONObject {
        var event: JSONObject = [
            "event": "found", "peer": .string("\(holder.found.peer)"),
            "by": .array(
                holder.found.sources.map { source in
                    .object(["by": .string(source.rawValue), "seconds": holder.times[source].map { .number(DurationText.seconds($0)) } ?? .null])
                }),
            "addresses": .array(
                holder.found.knownAddresses.map { known in
                    .object([
                        "address": .string(known.address.description), "signed": .boolean(known.isSigned),
                        "by": .array(known.sources.map { .string($0.rawValue) }),
                    ])
                }),
            "claimed": .boolean(holder.found.isClaimed),
        ]
        switch holder.answer {
        case .has: event["confirmed"] = true
        case .lacks: event["confirmed"] = false
        case .failed(let reason):
            event["confirmed"] = .null
            event["message"] = .string(reason)
        case nil: event["confirmed"] = .null
        }
        return event
    }

    static func line(_ end: End) -> String {
        "\(end.source.words): \(TerminalText.singleLine(end.outcome.description)) in \(DurationText.latency(end.duration))"
    }

    static func event(_ end: End) -> JSONObject {
        let (outcome, found, message): (String, Int?, String?) =
            switch end.outcome {
            case .completed(let found): ("completed", found, nil)
            case .failed(let reason): ("failed", nil, reason)
            case .timedOut: ("timed-out", nil, nil)
            case .flooded: ("flooded", nil, nil)
            case .cancelled: ("cancelled", nil, nil)
            }
        return [
            "event": "answered", "by": .string(end.source.rawValue), "outcome": .string(outcome), "found": found.map { .integer(Int64($0)) } ?? .null,
            "seconds": .number(DurationText.seconds(end.duration)), "message": message.map(JSONValue.string) ?? .null,
        ]
    }

    static func line(meaning hash: ContentHash, signers: [PeerID], tellers: Set<PeerID>) -> String {
        "\(hash)  signed by \(signers.map(\.description).joined(separator: ", "))  (told by \(tellers.count == 1 ? "1 peer" : "\(tellers.count) peers"))"
    }

    static func event(_ binding: NameBinding, tellers: Set<PeerID>) -> JSONObject {
        [
            "event": "binding", "contentHash": .string(binding.contentHash.description), "signer": .string("\(binding.signer.peerID)"),
            "signedMs": .unsigned(binding.timestampMilliseconds), "tellers": .array(tellers.map(\.description).sorted().map { .string($0) }),
        ]
    }
}
