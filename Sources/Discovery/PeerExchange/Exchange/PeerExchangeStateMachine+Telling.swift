import DIGAnnouncement
import DIGIdentity

/// What peers are told.
extension PeerExchangeStateMachine {
    /// Ours: before an exchange that begins anew.
    private static let restartDelay: Duration = .seconds(1)
    /// Announcements that one peer is remembered to have been told of; it hears of no more.
    private static let maximumToldAnnouncements = 2_000

    /// The peers that may be passed on at a moment: first-hand knowledge only. Those that this node has met, connected or gone for a short while, with a
    /// record that they gave themselves.
    struct Roster {
        fileprivate struct Entry {
            var peer: PeerID
            var record: SignedPeerRecord
            var isConnected: Bool
        }

        fileprivate private(set) var entries: [Entry] = []
        fileprivate private(set) var peers: Set<PeerID> = []

        init(_ contacts: [PeerID: Contact], recentLifetime: Duration, now: Instant) {
            for (peer, contact) in contacts {
                guard let record = contact.record, record.canBePassedOn, contact.leftAt.map({ $0 + recentLifetime > now }) ?? true else { continue }
                self.entries.append(Entry(peer: peer, record: record, isConnected: contact.isConnected))
                self.peers.insert(peer)
            }
            // So that the same generator makes the same choices.
            self.entries.sort { $0.peer < $1.peer }
        }
    }

    /// The next request to `peer`, if one is due.
    ///
    /// - Parameter roster: Made when it is needed first, for all peers.
    mutating func push(to peer: PeerID, roster: inout Roster?, moment: Moment, using generator: inout some RandomNumberGenerator) -> Action? {
        let now = moment.now
        guard var link = self.links[peer], link.pending == nil, link.notBefore <= now else { return nil }
        defer { self.links[peer] = link }
        if let announce = self.announce(&link) {
            self.counters.announcementsSent += UInt64(announce.announcements.count)
            return .push(.announce(announce), to: peer, link: link.id)
        }
        guard link.nextExchange <= now else { return nil }
        let jitter = Double.random(in: 0...1, using: &generator) * self.configuration.jitter
        link.nextExchange = now + self.configuration.exchangeInterval * (1 + jitter)
        let worthy = roster ?? Roster(self.contacts, recentLifetime: self.configuration.recentLifetime, now: now)
        roster = worthy
        guard let exchange = self.exchange(&link, with: peer, roster: worthy, moment: moment, using: &generator) else { return nil }
        self.counters.exchangesSent += 1
        return .push(.exchange(exchange), to: peer, link: link.id)
    }

    /// What this node has announced since the peer was told last.
    private func announce(_ link: inout Link) -> AnnounceMessage? {
        guard link.toldSerial < self.own.lastSerial else { return nil }
        var message = AnnounceMessage()
        var keys: [RendezvousKey] = []
        var budget = MessageBudget()
        let room = self.configuration.maximumAnnouncementsPerPeer - link.toldKeys.count
        var newCount = 0
        let last = self.own.each(after: link.toldSerial) { signed in
            let isNew = !link.toldKeys.contains(signed.announcement.key)
            // Beyond what the peer would take: it finds out when it asks.
            if isNew, newCount >= room { return true }
            let envelope = signed.envelope.encoded
            guard message.announcements.count < PeerExchangeLimits.maximumAnnouncementsPerAnnounce, budget.take(envelope.count) else { return false }
            message.announcements.append(envelope)
            keys.append(signed.announcement.key)
            if isNew { newCount += 1 }
            return true
        }
        guard !message.announcements.isEmpty else {
            link.toldSerial = last
            return nil
        }
        if let record = self.ownRecord, link.toldRecord != record.sequence { message.record = record.envelope }
        link.pending = .announce(upTo: last, keys: keys, recordSequence: message.record == nil ? nil : self.ownRecord?.sequence)
        return message
    }

    /// What has changed since the last exchange; nil if nothing has.
    private func exchange(
        _ link: inout Link, with peer: PeerID, roster: Roster, moment: Moment, using generator: inout some RandomNumberGenerator
    ) -> ExchangeMessage? {
        var message = ExchangeMessage(number: link.number)
        var budget = MessageBudget()
        var recordSequence: UInt64?
        if let record = self.ownRecord, link.toldRecord != record.sequence, budget.take(record.envelope.count) {
            message.record = record.envelope
            recordSequence = record.sequence
        }

        message.dropped = Array(link.told.keys.filter { !roster.peers.contains($0) }.sorted().prefix(self.configuration.maximumPeersPerExchange))
        for name in message.dropped { _ = budget.take(name.bytes.count) }

        var added: [PeerID: UInt64] = [:]
        var toldCount = link.told.count - message.dropped.count
        // Those that are connected first; otherwise by chance, so that not everybody hears of the same.
        let order = roster.entries.indices.filter { roster.entries[$0].peer != peer && link.told[roster.entries[$0].peer] != roster.entries[$0].record.sequence }
            .shuffled(using: &generator)
        for index in order.filter({ roster.entries[$0].isConnected }) + order.filter({ !roster.entries[$0].isConnected }) {
            guard added.count < self.configuration.maximumPeersPerExchange else { break }
            let (name, record) = (roster.entries[index].peer, roster.entries[index].record)
            let isNew = link.told[name] == nil
            guard !isNew || toldCount < self.configuration.maximumToldPeers else { continue }
            guard budget.take(record.envelope.count) else { break }
            message.added.append(record.envelope)
            added[name] = record.sequence
            if isNew { toldCount += 1 }
        }

        let announcements = self.announcements(for: &link, peer: peer, budget: &budget, nowMilliseconds: moment.milliseconds)
        message.announcements = announcements.map(\.envelope)
        message.interests = self.interests
        let isNews = message.record != nil || !message.added.isEmpty || !message.dropped.isEmpty || !message.announcements.isEmpty
        guard isNews || self.interests != link.toldInterests else { return nil }
        link.pending = .exchange(
            added: added, dropped: message.dropped, announcements: Dictionary(announcements.map { ($0.id, $0.timestamp) }) { max($0, $1) },
            recordSequence: recordSequence, interests: self.interests)
        return message
    }

    private struct PassedAnnouncement {
        var id: AnnouncementID
        var timestamp: UInt64
        var envelope: [UInt8]
    }

    /// What is new under the keys that the peer follows: who has it, and who of those it was told of has it no longer.
    private func announcements(for link: inout Link, peer: PeerID, budget: inout MessageBudget, nowMilliseconds: UInt64) -> [PassedAnnouncement] {
        let wanted = Set(link.interests)
        link.toldAnnouncements = link.toldAnnouncements.filter { wanted.contains($0.key.key) && self.announcements[$0.key.key, $0.key.peer] != nil }
        var entries: [AnnouncementTable.Entry] = link.toldAnnouncements.keys.compactMap { id in
            self.announcements[id.key, id.peer].flatMap { $0.announcement.isAvailable ? nil : $0 }
        }
        for key in link.interests {
            entries += self.announcements.holders(of: key, nowMilliseconds: nowMilliseconds).filter { $0.announcement.peer != peer }
                .prefix(PeerExchangeLimits.maximumHolders)
        }
        var passed: [PassedAnnouncement] = []
        for entry in entries {
            let (id, timestamp) = (AnnouncementID(entry.announcement), entry.announcement.timestampMilliseconds)
            if let told = link.toldAnnouncements[id] {
                guard timestamp > told else { continue }
            } else {
                guard link.toldAnnouncements.count + passed.count < Self.maximumToldAnnouncements else { break }
            }
            let envelope = entry.envelope.encoded
            guard passed.count < PeerExchangeLimits.maximumAnnouncementsPerExchange, budget.take(envelope.count) else { break }
            passed.append(PassedAnnouncement(id: id, timestamp: timestamp, envelope: envelope))
        }
        return passed
    }

    /// A request has ended.
    mutating func pushed(to peer: PeerID, link id: UInt64, _ outcome: PushOutcome, now: Instant) {
        guard var link = self.links[peer], link.id == id, let pending = link.pending else { return }
        link.pending = nil
        switch outcome {
        case .answered(.taken):
            Self.note(pending, in: &link)
        case .answered(.restart):
            // Soon, unless this was a beginning already, which no peer has a reason to refuse.
            link.nextExchange = now + (link.number > 0 ? Self.restartDelay : self.configuration.exchangeInterval)
            link.restart()
        case .answered(.unsupported):
            // A request that the peer does not know is not sent again.
            Self.note(pending, in: &link)
        case .answered(.busy):
            self.counters.requestsPutOff += 1
            link.notBefore = now + self.configuration.exchangeInterval
        case .failed:
            self.counters.requestsFailed += 1
            link.notBefore = now + self.configuration.exchangeInterval
        case .notSpoken:
            self.counters.requestsFailed += 1
            return self.disconnected(peer, now: now)
        }
        self.links[peer] = link
    }

    private static func note(_ pending: Link.Pending, in link: inout Link) {
        switch pending {
        case .exchange(let added, let dropped, let announcements, let recordSequence, let interests):
            link.number += 1
            link.told.merge(added) { $1 }
            for peer in dropped { link.told[peer] = nil }
            link.toldAnnouncements.merge(announcements) { max($0, $1) }
            link.toldInterests = interests
            if let recordSequence { link.toldRecord = recordSequence }
        case .announce(let last, let keys, let recordSequence):
            link.toldSerial = max(link.toldSerial, last)
            link.toldKeys.formUnion(keys)
            if let recordSequence { link.toldRecord = recordSequence }
        }
    }
}
