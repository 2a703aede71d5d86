import DIGAnnouncement
import DIGIdentity
import DIGMultiformats

/// What peers tell and ask.
extension PeerExchangeStateMachine {
    /// An exchange whose envelopes were opened.
    struct HeardExchange: Sendable {
        var number: UInt64
        /// The sender's own.
        var record: SignedPeerRecord?
        var added: [SignedPeerRecord] = []
        var dropped: [PeerID] = []
        var interests: [RendezvousKey] = []
        var announcements: [SignedAnnouncement] = []
    }

    /// What a peer answered to a question, opened.
    struct HeardHolder: Sendable {
        var signed: SignedAnnouncement
        var record: SignedPeerRecord?
    }

    /// Whether a request is to be looked at at all: asked before anything in it is opened, which takes time.
    ///
    /// - Returns: The answer if it is not.
    mutating func refusal(of request: PeerExchangeRequest, from peer: PeerID, now: Instant) -> PeerExchangeResponse.Status? {
        // Whoever asks speaks the protocol, whatever it said in identify, if it has said anything yet.
        // Those for whom there is no room take nothing from what all together may ask.
        guard peer != self.localPeer, self.link(to: peer, now: now), self.meter.admit(request, from: peer, now: now) else {
            self.counters.refusedRequests += 1
            return .busy
        }
        switch request {
        case .exchange(let exchange) where self.links[peer]?.expects(exchange.number) != true:
            self.counters.restarts += 1
            return .restart
        case .unknown: return .unsupported
        default: return nil
        }
    }

    mutating func received(_ exchange: HeardExchange, from peer: PeerID, moment: Moment) -> PeerExchangeResponse.Status {
        guard var link = self.links[peer], link.expects(exchange.number) else { return .restart }
        self.counters.exchangesReceived += 1
        link.heardNumber = exchange.number
        link.interests = Array(exchange.interests.prefix(PeerExchangeLimits.maximumInterests))
        self.links[peer] = link
        if let record = exchange.record { self.met(record) }
        // What was told before counts for a while longer, so that beginning anew makes nobody vanish.
        if exchange.number == 0 { self.learned.leave(peer, until: moment.now + self.configuration.learnedLifetime) }
        for dropped in exchange.dropped where self.learned.drop(dropped, from: peer) {
            if self.contacts[dropped] == nil { self.report(.lost(dropped)) }
        }
        for record in exchange.added { self.learn(record, from: peer) }
        for signed in exchange.announcements { self.overheard(signed, nowMilliseconds: moment.milliseconds) }
        return .taken
    }

    private mutating func learn(_ record: SignedPeerRecord, from source: PeerID) {
        // A peer speaks for itself elsewhere; and who this node is it knows.
        guard record.peer != source, record.peer != self.localPeer else { return }
        let (verdict, evicted) = self.learned.add(record, from: source)
        if let evicted {
            self.counters.evictedPeers += 1
            if self.contacts[evicted] == nil { self.report(.lost(evicted)) }
        }
        switch verdict {
        case .added, .moved:
            if !self.isConnected(record.peer) { self.report(.discovered(record.peer, addresses: record.addresses, key: nil)) }
        case .known: break
        case .refused: self.counters.refusedEntries += 1
        }
    }

    /// A peer has passed on what another announced.
    private mutating func overheard(_ signed: SignedAnnouncement, nowMilliseconds: UInt64) {
        guard self.interests.contains(signed.announcement.key), signed.announcement.peer != self.localPeer else {
            self.counters.unwantedAnnouncements += 1
            return
        }
        let peer = signed.announcement.peer
        let addresses = self.contacts[peer]?.knownAddresses ?? self.learned.entries[peer]?.record.addresses ?? []
        self.take(signed, into: \.hearsay, addresses: addresses, nowMilliseconds: nowMilliseconds)
    }

    /// A peer's own announcements.
    mutating func received(_ announcements: [SignedAnnouncement], record: SignedPeerRecord?, from peer: PeerID, moment: Moment) {
        guard self.contacts[peer] != nil else { return }
        if let record { self.met(record) }
        for signed in announcements where signed.announcement.peer == peer {
            self.counters.announcementsReceived += 1
            self.take(signed, into: \.announcements, addresses: self.contacts[peer]?.knownAddresses ?? [], nowMilliseconds: moment.milliseconds)
        }
    }

    /// Notes an announcement and reports it if it is news.
    private mutating func take(
        _ signed: SignedAnnouncement, into table: WritableKeyPath<Self, AnnouncementTable>, addresses: [Multiaddr], nowMilliseconds: UInt64
    ) {
        let announcement = signed.announcement
        let wasAvailable = self[keyPath: table][announcement.key, announcement.peer]?.announcement.isAvailable
        switch self[keyPath: table].add(announcement, envelope: signed.envelope, nowMilliseconds: nowMilliseconds) {
        case .taken:
            self.hear(signed.envelope)
            if announcement.isAvailable {
                let all = SignedPeerRecord.trimmed(announcement.addresses + addresses, of: announcement.peer)
                if wasAvailable != true { self.report(.discovered(announcement.peer, addresses: all, key: announcement.key)) }
            } else if wasAvailable != false {
                self.report(.withdrawn(announcement.peer, key: announcement.key))
            }
        case .known: break
        case .refused: self.counters.refusedEntries += 1
        }
    }

    // MARK: Questions

    /// Who has what `key` stands for, by the word that they gave this node themselves.
    mutating func answer(_ key: RendezvousKey, to asker: PeerID, nowMilliseconds: UInt64) -> PeerExchangeResponse {
        self.counters.queriesAnswered += 1
        var response = PeerExchangeResponse()
        var budget = MessageBudget()
        func add(_ envelope: SignedEnvelope, _ record: SignedPeerRecord?) {
            let bytes = envelope.encoded
            let record = record.flatMap { $0.canBePassedOn ? $0.envelope : nil }
            guard response.holders.count < PeerExchangeLimits.maximumHolders, budget.take(bytes.count + (record?.count ?? 0)) else { return }
            response.holders.append(.init(announcement: bytes, record: record))
        }
        if let own = self.own[key], own.announcement.isAvailable, own.announcement.expiresAtMilliseconds > nowMilliseconds {
            add(own.envelope, self.ownRecord)
        }
        let holders = self.announcements.holders(of: key, nowMilliseconds: nowMilliseconds).filter { $0.announcement.peer != asker }
        for isConnected in [true, false] {
            for holder in holders where self.isConnected(holder.announcement.peer) == isConnected {
                add(holder.envelope, self.contacts[holder.announcement.peer]?.record)
            }
        }
        return response
    }

    /// Who is known here to have what `key` stands for, and whom to ask for others.
    mutating func search(
        _ key: RendezvousKey, asksOthers: Bool = true, nowMilliseconds: UInt64, using generator: inout some RandomNumberGenerator
    ) -> (known: [ContentAnnouncement], ask: [PeerID]) {
        let known = self.announcements.holders(of: key, nowMilliseconds: nowMilliseconds).map { entry in
            Self.merged(entry.announcement, self.contacts[entry.announcement.peer]?.knownAddresses ?? [])
        }
        guard asksOthers else { return (known, []) }
        let ask = self.links.keys.sorted().shuffled(using: &generator).prefix(self.configuration.maximumAskedPeers)
        self.counters.queriesSent += UInt64(ask.count)
        return (known, Array(ask))
    }

    /// A peer has answered a question.
    ///
    /// - Returns: Those that have the content, each with all the addresses that it signed.
    mutating func answered(_ holders: [HeardHolder], about key: RendezvousKey, by peer: PeerID, nowMilliseconds: UInt64) -> [ContentAnnouncement] {
        var found: [ContentAnnouncement] = []
        for holder in holders {
            let announcement = holder.signed.announcement
            guard announcement.key == key, announcement.isAvailable, announcement.peer != self.localPeer else {
                self.counters.unwantedAnnouncements += 1
                continue
            }
            // What the holder said itself, and later, counts more.
            if let own = self.announcements[key, announcement.peer], own.announcement.timestampMilliseconds > announcement.timestampMilliseconds { continue }
            if self.interests.contains(key) {
                _ = self.hearsay.add(announcement, envelope: holder.signed.envelope, nowMilliseconds: nowMilliseconds)
            }
            self.hear(holder.signed.envelope)
            let merged = Self.merged(announcement, holder.record?.addresses ?? self.contacts[announcement.peer]?.knownAddresses ?? [])
            self.report(.discovered(merged.peer, addresses: merged.addresses, key: key))
            found.append(merged)
        }
        return found
    }

    private static func merged(_ announcement: ContentAnnouncement, _ addresses: [Multiaddr]) -> ContentAnnouncement {
        var announcement = announcement
        announcement.addresses = SignedPeerRecord.trimmed(announcement.addresses + addresses, of: announcement.peer)
        return announcement
    }
}
