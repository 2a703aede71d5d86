import DIGAnnouncement
import DIGIdentity
import DIGMultiformats

/// What one node tells its peers, what it believes of what they tell, and whom it connects to.
///
/// The caller passes the time and records that an ``EnvelopeVerifier`` has opened, performs what ``actions(moment:using:)`` returns, and calls it
/// again at ``deadline`` and whenever something was put in. Early and repeated calls are harmless. What is to be reported waits in ``takeEvents()``.
struct PeerExchangeStateMachine: Sendable {
    typealias Instant = ContinuousClock.Instant

    enum Action: Hashable, Sendable {
        /// The outcome goes to ``pushed(to:link:_:now:)``.
        case push(PeerExchangeRequest, to: PeerID, link: UInt64)
        /// The outcome goes to ``dialed(_:isConnected:now:)``.
        case dial(PeerID, [Multiaddr])
    }

    enum PushOutcome: Hashable, Sendable {
        case answered(PeerExchangeResponse.Status)
        /// No answer, or none that can be read.
        case failed
        /// The peer does not speak the protocol.
        case notSpoken
    }

    let localPeer: PeerID
    let configuration: PeerExchangeConfiguration
    var counters = PeerExchangeStatistics()

    var links: [PeerID: Link] = [:]
    var contacts: [PeerID: Contact] = [:]
    var learned: LearnedPeers
    /// What peers have announced themselves.
    var announcements: AnnouncementTable
    /// What they were said to have announced, of the keys that this node follows: to report it once. Never passed on.
    var hearsay: AnnouncementTable
    var own: OwnAnnouncements
    var ownRecord: SignedPeerRecord?
    /// The keys that this node follows.
    var interests: [RendezvousKey] = []
    var meter: RequestMeter
    var dials: DialPlan
    var nextUpkeep: Instant
    private var nextLink: UInt64 = 0
    private var events: [PeerExchangeEvent] = []
    /// News in announcements, as they were signed, until somebody takes them.
    private var heard: [SignedEnvelope] = []

    /// - Parameter configuration: Checked.
    init(localPeer: PeerID, configuration: PeerExchangeConfiguration, now: Instant) {
        self.localPeer = localPeer
        self.configuration = configuration
        self.learned = LearnedPeers(
            maximumCount: configuration.maximumLearnedPeers, maximumCountPerSource: configuration.maximumLearnedPeersPerSource)
        var limits = AnnouncementTable.Limits()
        limits.count = configuration.maximumAnnouncements
        limits.countPerPeer = configuration.maximumAnnouncementsPerPeer
        limits.countPerKey = configuration.maximumAnnouncementsPerKey
        self.announcements = AnnouncementTable(limits: limits)
        limits.countPerPeer = min(limits.countPerPeer, PeerExchangeLimits.maximumInterests)
        self.hearsay = AnnouncementTable(limits: limits)
        self.own = OwnAnnouncements(maximumCount: configuration.maximumOwnAnnouncements)
        self.meter = RequestMeter(configuration: configuration, now: now)
        self.dials = DialPlan(configuration: configuration, now: now)
        self.nextUpkeep = now + configuration.upkeepInterval
    }

    var statistics: PeerExchangeStatistics {
        var statistics = self.counters
        statistics.linkCount = self.links.count
        statistics.contactCount = self.contacts.count
        statistics.learnedPeerCount = self.learned.count
        statistics.announcementCount = self.announcements.count
        statistics.ownAnnouncementCount = self.own.count
        return statistics
    }

    /// What happened since this was asked last.
    mutating func takeEvents() -> [PeerExchangeEvent] {
        defer { self.events.removeAll(keepingCapacity: true) }
        return self.events
    }

    mutating func report(_ event: PeerExchangeEvent) { self.events.append(event) }

    mutating func takeHeard() -> [SignedEnvelope] {
        defer { self.heard.removeAll(keepingCapacity: true) }
        return self.heard
    }

    /// As many as one message can bring are never too many; more come of none.
    mutating func hear(_ envelope: SignedEnvelope) { if self.heard.count < 4_096 { self.heard.append(envelope) } }

    // MARK: Peers come and go

    /// A connected peer has said who it is.
    ///
    /// - Parameters:
    ///   - speaks: Whether it speaks this protocol. Others are neither told of anything nor passed on.
    ///   - record: Its own; others are ignored.
    mutating func identified(_ peer: PeerID, speaks: Bool, record: SignedPeerRecord?, addresses: [Multiaddr], now: Instant) {
        guard peer != self.localPeer else { return }
        guard speaks else { return self.disconnected(peer, now: now) }
        guard self.link(to: peer, now: now) else { return }
        let addresses = SignedPeerRecord.trimmed(addresses, of: peer)
        if !addresses.isEmpty { self.contacts[peer]?.addresses = addresses }
        if let record { self.met(record) }
    }

    /// The last connection to a peer is gone.
    mutating func disconnected(_ peer: PeerID, now: Instant) {
        self.links[peer] = nil
        if self.contacts[peer]?.isConnected == true { self.contacts[peer]?.leftAt = now }
        self.learned.leave(peer, until: now + self.configuration.learnedLifetime)
    }

    /// Sees to it that there is a link to a connected peer.
    ///
    /// - Returns: False if there is no room.
    mutating func link(to peer: PeerID, now: Instant) -> Bool {
        if self.links[peer] != nil { return true }
        guard self.links.count < self.configuration.maximumLinks, self.meet(peer) else {
            self.counters.refusedEntries += 1
            return false
        }
        self.nextLink += 1
        self.links[peer] = Link(id: self.nextLink, now: now)
        return true
    }

    private mutating func meet(_ peer: PeerID) -> Bool {
        if self.contacts[peer] != nil {
            self.contacts[peer]?.leftAt = nil
            return true
        }
        if self.contacts.count >= self.configuration.maximumContacts {
            // Whoever left first is forgotten first.
            let gone = self.contacts.compactMap { peer, contact in contact.leftAt.map { (peer, $0) } }.min { $0.1 < $1.1 }
            guard let gone else { return false }
            self.forget(gone.0)
        }
        self.contacts[peer] = Contact()
        return true
    }

    /// A peer has given its own record.
    mutating func met(_ record: SignedPeerRecord) {
        guard var contact = self.contacts[record.peer], record.sequence > contact.record?.sequence ?? 0 || contact.record == nil else { return }
        contact.record = record
        self.contacts[record.peer] = contact
    }

    private mutating func forget(_ peer: PeerID) {
        self.contacts[peer] = nil
        self.announcements.remove(peer)
        if self.learned.entries[peer] == nil { self.report(.lost(peer)) }
    }

    func isConnected(_ peer: PeerID) -> Bool { self.contacts[peer]?.isConnected == true }

    var knownPeers: [PeerExchangePeer] {
        var known = self.contacts.map { peer, contact in
            PeerExchangePeer(
                peer: peer, addresses: contact.knownAddresses, isConnected: contact.isConnected, isFirstHand: true,
                sourceCount: self.learned.entries[peer]?.liveSourceCount ?? 0)
        }
        for (peer, entry) in self.learned.entries where self.contacts[peer] == nil {
            known.append(
                PeerExchangePeer(
                    peer: peer, addresses: entry.record.addresses, isConnected: false, isFirstHand: false, sourceCount: entry.liveSourceCount))
        }
        return known
    }

    // MARK: This node

    /// This node can be reached elsewhere.
    mutating func ownRecordChanged(_ record: SignedPeerRecord) {
        // A record that says the same again is no news, whatever its number.
        guard record.peer == self.localPeer, record.canBePassedOn, record.addresses != self.ownRecord?.addresses,
            record.sequence > self.ownRecord?.sequence ?? 0 || self.ownRecord == nil
        else { return }
        self.ownRecord = record
    }

    mutating func announced(_ signed: SignedAnnouncement, nowMilliseconds: UInt64) -> OwnAnnouncements.Verdict {
        if self.own.count >= self.configuration.maximumOwnAnnouncements { self.own.expire(nowMilliseconds: nowMilliseconds) }
        return self.own.add(signed)
    }

    /// Connected peers that have this node's latest word on `key`.
    func toldCount(of key: RendezvousKey) -> Int {
        guard let serial = self.own.serial(of: key) else { return 0 }
        return self.links.values.count { $0.toldSerial >= serial && $0.toldKeys.contains(key) }
    }

    /// - Returns: False if so many keys are followed that there is no room.
    mutating func follow(_ key: RendezvousKey) -> Bool {
        if self.interests.contains(key) { return true }
        guard self.interests.count < self.configuration.maximumInterests else { return false }
        self.interests.append(key)
        return true
    }

    mutating func unfollow(_ key: RendezvousKey) { self.interests.removeAll { $0 == key } }

    // MARK: Time

    /// When ``actions(moment:using:)`` has something to do at the latest.
    var deadline: Instant {
        var deadline = self.nextUpkeep
        for link in self.links.values where link.pending == nil { deadline = min(deadline, max(link.nextExchange, link.notBefore)) }
        return deadline
    }

    /// What to do now.
    mutating func actions(moment: Moment, using generator: inout some RandomNumberGenerator) -> [Action] {
        let now = moment.now
        if now >= self.nextUpkeep {
            self.upkeep(moment: moment)
            self.nextUpkeep = now + self.configuration.upkeepInterval
        }
        var actions: [Action] = []
        // Sorted, so that the same generator makes the same choices.
        var roster: Roster?
        for peer in self.links.keys.sorted() {
            if let action = self.push(to: peer, roster: &roster, moment: moment, using: &generator) { actions.append(action) }
        }
        while let record = self.dials.next(
            among: self.learned, linkCount: self.links.count, now: now, using: &generator,
            isConnected: { [contacts = self.contacts] in contacts[$0]?.isConnected == true })
        {
            self.counters.dialsStarted += 1
            actions.append(.dial(record.peer, record.addresses))
        }
        return actions
    }

    private mutating func upkeep(moment: Moment) {
        let now = moment.now
        for (peer, contact) in self.contacts {
            if let leftAt = contact.leftAt, leftAt + self.configuration.recentLifetime <= now { self.forget(peer) }
        }
        for peer in self.learned.expire(now: now) where self.contacts[peer] == nil { self.report(.lost(peer)) }
        self.announcements.expire(nowMilliseconds: moment.milliseconds)
        self.hearsay.expire(nowMilliseconds: moment.milliseconds)
        self.own.expire(nowMilliseconds: moment.milliseconds)
        self.dials.expire(now: now)
    }

    mutating func dialed(_ peer: PeerID, isConnected: Bool, now: Instant) {
        if !isConnected { self.counters.dialsFailed += 1 }
        self.dials.ended(peer, isConnected: isConnected, now: now)
    }
}
