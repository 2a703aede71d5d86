public import DIGAnnouncement
public import DIGContent
public import DIGIdentity
import HeapModule

/// Who has what, as far as can be known: claims, reports, proofs and reputations, bounded in every direction.
///
/// A value: what happens goes in with the time, questions to be asked come out of ``nextVerifications(limit:nowMilliseconds:)``, and their outcomes go in again.
/// What goes in was checked before: signatures are not looked at here. A call that throws has changed nothing.
///
/// Keyed by content hash. An announcement under a name or a plain SHA-256 is none of a content, and has no place here before the name is resolved.
public struct AvailabilityTable: Sendable {
    struct Holder: Hashable, Sendable {
        var peer: PeerID
        var content: ContentHash
    }

    struct Wake: Comparable, Sendable {
        var at: UInt64
        var holder: Holder

        static func < (lhs: Self, rhs: Self) -> Bool { lhs.at < rhs.at }
        static func == (lhs: Self, rhs: Self) -> Bool { lhs.at == rhs.at }
    }

    public let configuration: AvailabilityConfiguration
    public internal(set) var reputations: ReputationTable
    var contents: [ContentHash: [PeerID: HolderRecord]] = [:]
    var contentsOfPeer: [PeerID: Set<ContentHash>] = [:]
    /// Until when a content is watched.
    var watched: [ContentHash: UInt64] = [:]
    /// May hold times that are no longer true; a record's `wakeAt` says which is.
    var wakes = Heap<Wake>()
    var generator: SplitMix64
    var nextQuestion: UInt64 = 1
    public internal(set) var count = 0
    public internal(set) var reportCount = 0
    var changes: [AvailabilityChange] = []
    var touched: Set<Holder> = []
    var touchedPeers: Set<PeerID> = []

    /// Ours: the changes kept until somebody takes them.
    static let changeLimit = 4_096

    /// - Parameter seed: For the jitter.
    public init(configuration: AvailabilityConfiguration = .init(), seed: UInt64 = 0) {
        self.configuration = configuration
        self.reputations = ReputationTable(configuration: configuration)
        self.generator = SplitMix64(seed)
    }

    // MARK: Reading

    /// What to think of a peer that is said to have a content; `available` when nothing is known against it.
    public func status(of peer: PeerID, for content: ContentHash, nowMilliseconds now: UInt64) -> PeerContentStatus {
        self.contents[content]?[peer].map { self.currentStatus($0, nowMilliseconds: now) } ?? .available
    }

    public func record(of peer: PeerID, for content: ContentHash) -> HolderRecord? { self.contents[content]?[peer] }

    /// Everybody who claims, or has claimed, to have the content, in no order.
    public func holders(of content: ContentHash, nowMilliseconds now: UInt64) -> [HolderState] {
        (self.contents[content] ?? [:]).map { self.state($0.key, $0.value, nowMilliseconds: now) }
    }

    /// Whether the peer has proven that it has the content, to this node and within the interval in which an available holder is asked.
    public func hasProven(_ peer: PeerID, _ content: ContentHash, nowMilliseconds now: UInt64) -> Bool {
        guard let record = self.contents[content]?[peer], record.provedAt > 0, record.status != .unavailable else { return false }
        return now.since(record.provedAt) <= self.configuration.availableInterval.millisecondCount
    }

    public func state(of peer: PeerID, for content: ContentHash, nowMilliseconds now: UInt64) -> HolderState? {
        self.contents[content]?[peer].map { self.state(peer, $0, nowMilliseconds: now) }
    }

    public func score(of peer: PeerID, nowMilliseconds now: UInt64) -> ReputationScore {
        self.reputations[peer]?.score(nowMilliseconds: now, halfLife: self.configuration.reputationHalfLife) ?? .unknown
    }

    /// When something is to be done next: ``nextVerifications(limit:nowMilliseconds:)`` is to be called then. May be earlier than needed, never later.
    public var nextDeadline: UInt64? { self.wakes.min?.at }

    private func state(_ peer: PeerID, _ record: HolderRecord, nowMilliseconds now: UInt64) -> HolderState {
        let (level, weight) = self.level(record, nowMilliseconds: now)
        return HolderState(
            peer: peer, status: self.currentStatus(record, nowMilliseconds: now), level: level, reportWeight: weight, reportCount: record.reports.count,
            isClaimed: record.isClaimed(nowMilliseconds: now), isWithdrawn: record.isWithdrawn, claimedUntil: record.claimedUntil, provedAt: record.provedAt,
            askedAt: record.askedAt, changedAt: record.changedAt, reputation: self.score(of: peer, nowMilliseconds: now))
    }

    private func currentStatus(_ record: HolderRecord, nowMilliseconds now: UInt64) -> PeerContentStatus {
        record.status == .suspect && self.doubtIsOver(record, nowMilliseconds: now) ? .available : record.status
    }

    // MARK: Levels

    func level(_ record: HolderRecord, nowMilliseconds now: UInt64) -> (ReportLevel, weight: Double) {
        var weight = 0.0
        var reporterCount = 0
        for report in record.reports {
            let decayed = halved(now.since(report.timestampMilliseconds), self.configuration.reportHalfLife.millisecondCount)
            guard decayed >= self.configuration.minimumReportWeight else { continue }
            weight += decayed * self.reputations.reportWeight(of: report.reporter, nowMilliseconds: now)
            reporterCount += 1
        }
        return (ReportLevel(weight: weight, reporterCount: reporterCount), weight)
    }

    func doubtIsOver(_ record: HolderRecord, nowMilliseconds now: UInt64) -> Bool {
        (record.doubtedAt == 0 || now.since(record.doubtedAt) >= self.configuration.reportHalfLife.millisecondCount)
            && self.level(record, nowMilliseconds: now).0 == .none
    }

    /// After so long a report is forgotten.
    var reportLifetime: UInt64 {
        timeToFall(from: 1, to: max(0.001, self.configuration.minimumReportWeight), self.configuration.reportHalfLife.millisecondCount)
    }

    // MARK: What others say

    /// Takes an announcement or withdrawal whose signature was checked.
    ///
    /// - Throws: ``AvailabilityError`` `.expired`, `.fromTheFuture`, `.replayed`, `.quotaExceeded` or `.noRoom`.
    public mutating func announced(_ announcement: ContentAnnouncement, nowMilliseconds now: UInt64) throws(AvailabilityError) {
        guard let digest = SHA256Digest(bytes: announcement.key.bytes) else { throw .malformed }
        let holder = Holder(peer: announcement.peer, content: ContentHash(digest: digest))
        let timestamp = announcement.timestampMilliseconds
        // C-43: a lifetime that the peer chose is not believed beyond what we allow, counted from now.
        let end = min(announcement.expiresAtMilliseconds, now.adding(AvailabilityConfiguration.lifetimeRange.upperBound.millisecondCount))
        guard end > now else { throw .expired }
        guard timestamp <= now.adding(ContentAnnouncement.maximumClockSkew.millisecondCount) else { throw .fromTheFuture }
        if let known = self.contents[holder.content]?[holder.peer], known.announcedAt >= timestamp { throw .replayed }
        try self.ensureRecord(holder, isClaim: true, nowMilliseconds: now)
        self.change(holder, nowMilliseconds: now) { table, record in
            record.announcedAt = timestamp
            record.isWithdrawn = !announcement.isAvailable
            record.claimedUntil = end
            if announcement.isAvailable {
                table.apply(.announced, to: &record, of: holder, nowMilliseconds: now)
            } else {
                // What is under way was asked before.
                record.question = 0
                table.note(.withdrawn(holder.peer, holder.content))
                table.apply(.withdrawn, to: &record, of: holder, nowMilliseconds: now)
            }
        }
    }

    /// Takes an unsigned hint that the peer has the content, such as a provider record of a DHT. It does not undo a withdrawal.
    ///
    /// - Throws: ``AvailabilityError`` `.quotaExceeded` or `.noRoom`.
    public mutating func claimed(by peer: PeerID, content: ContentHash, lifetime: Duration = .seconds(3_600), nowMilliseconds now: UInt64) throws(AvailabilityError) {
        let holder = Holder(peer: peer, content: content)
        if let known = self.contents[content]?[peer], known.isWithdrawn, known.claimedUntil > now { return }
        try self.ensureRecord(holder, isClaim: true, nowMilliseconds: now)
        let range = AvailabilityConfiguration.lifetimeRange
        let end = now.adding(min(max(lifetime, range.lowerBound), range.upperBound).millisecondCount)
        self.change(holder, nowMilliseconds: now) { table, record in
            let wasClaimed = record.isClaimed(nowMilliseconds: now)
            record.isWithdrawn = false
            record.claimedUntil = max(record.claimedUntil, end)
            // Found again and again it is no news: only a claim that was over is a new one. Whoever failed is asked again in the rhythm of the suspect,
            // as nobody announces anything anew in a DHT without signatures.
            let since = max(record.changedAt, record.askedAt)
            let mayBeBack = record.status == .unavailable && now.since(since) >= table.configuration.suspectInterval.millisecondCount
            if !wasClaimed || mayBeBack { table.apply(.announced, to: &record, of: holder, nowMilliseconds: now) }
        }
    }

    /// Takes a report whose signature was checked.
    ///
    /// - Returns: The level that all reports now make.
    /// - Throws: ``AvailabilityError`` `.aboutItself`, `.expired`, `.fromTheFuture`, `.replayed`, `.refuted`, `.quotaExceeded` or `.noRoom`.
    @discardableResult
    public mutating func reported(_ report: AvailabilityReport, nowMilliseconds now: UInt64) throws(AvailabilityError) -> ReportLevel {
        guard report.reporter != report.reported else { throw .aboutItself }
        guard report.timestampMilliseconds <= now.adding(AvailabilityReport.maximumClockSkew.millisecondCount) else { throw .fromTheFuture }
        let stored = StoredReport(reporter: report.reporter, reason: report.reason, timestampMilliseconds: min(now, report.timestampMilliseconds))
        guard now - stored.timestampMilliseconds < self.reportLifetime else { throw .expired }
        let holder = Holder(peer: report.reported, content: report.content)
        let known = self.contents[holder.content]?[holder.peer]
        var replaced: Int?
        if let known {
            guard stored.timestampMilliseconds > known.clearedAt else { throw .refuted }
            if let index = known.reports.firstIndex(where: { $0.reporter == stored.reporter }) {
                // C-10: one reporter counts once in a decay window.
                let age = stored.timestampMilliseconds.since(known.reports[index].timestampMilliseconds)
                guard age >= self.configuration.reportHalfLife.millisecondCount else { throw .replayed }
                replaced = index
            } else if known.reports.count >= self.configuration.reportsPerRecord {
                replaced = self.lightest(known.reports, lighterThan: stored, nowMilliseconds: now)
                guard replaced != nil else { throw .noRoom }
            }
        }
        guard self.reputations.mayReport(stored.reporter, nowMilliseconds: now) else { throw .quotaExceeded }
        guard replaced != nil || self.reportCount < self.configuration.reportLimit else { throw .noRoom }
        try self.ensureRecord(holder, isClaim: false, nowMilliseconds: now)
        self.reputations.countReport(of: stored.reporter, nowMilliseconds: now)
        if replaced == nil { self.reportCount += 1 }
        var result = ReportLevel.none
        self.change(holder, nowMilliseconds: now) { table, record in
            if let replaced { record.reports[replaced] = stored } else { record.reports.append(stored) }
            result = table.level(record, nowMilliseconds: now).0
            table.note(.reported(holder.peer, holder.content, by: stored.reporter, level: result))
            table.apply(.reported(result), to: &record, of: holder, nowMilliseconds: now)
        }
        return result
    }

    private func lightest(_ reports: [StoredReport], lighterThan new: StoredReport, nowMilliseconds now: UInt64) -> Int? {
        func weight(_ report: StoredReport) -> Double {
            halved(now.since(report.timestampMilliseconds), self.configuration.reportHalfLife.millisecondCount)
                * self.reputations.reportWeight(of: report.reporter, nowMilliseconds: now)
        }
        let least = reports.indices.map { (index: $0, weight: weight(reports[$0])) }.min { $0.weight < $1.weight }
        return least.flatMap { $0.weight < weight(new) ? $0.index : nil }
    }

    // MARK: What we have seen

    /// Takes what this node has seen of a peer, and of its claim to have a content: verified data is a proof, and an answer without it the contrary.
    public mutating func experienced(_ experience: Experience, of peer: PeerID, content: ContentHash? = nil, nowMilliseconds now: UInt64) {
        self.learn(experience, of: peer, nowMilliseconds: now)
        guard let content, self.contents[content]?[peer] != nil else { return }
        let holder = Holder(peer: peer, content: content)
        switch experience {
        case .transferred, .proved: self.change(holder, nowMilliseconds: now) { $0.decide(true, &$1, of: holder, nowMilliseconds: now) }
        case .missing, .disproved, .corrupt: self.change(holder, nowMilliseconds: now) { $0.decide(false, &$1, of: holder, nowMilliseconds: now) }
        case .failed, .connected, .unreachable, .dropped, .reportConfirmed, .reportRefuted: break
        }
    }

    mutating func learn(_ experience: Experience, of peer: PeerID, nowMilliseconds now: UInt64) {
        self.reputations.add(experience, of: peer, nowMilliseconds: now)
        self.touchedPeers.insert(peer)
    }

    mutating func note(_ change: AvailabilityChange) {
        guard self.changes.count < Self.changeLimit else { return }
        self.changes.append(change)
    }

    /// What has happened since the last call; at most 4,096, the latest are lost.
    public mutating func takeChanges() -> [AvailabilityChange] {
        defer { self.changes.removeAll(keepingCapacity: true) }
        return self.changes
    }
}
