public import DIGContent
public import DIGIdentity
import HeapModule

extension AvailabilityTable {
    /// Has holders of the content asked in their rhythm for a while; what was put off until somebody looks is due now.
    public mutating func watch(_ content: ContentHash, nowMilliseconds now: UInt64) {
        if self.watched[content] == nil, self.watched.count >= self.configuration.watchLimit {
            self.watched = self.watched.filter { $0.value > now }
            guard self.watched.count < self.configuration.watchLimit else { return }
        }
        let wasWatched = self.isWatched(content, nowMilliseconds: now)
        self.watched[content] = now.adding(self.configuration.watchLifetime.millisecondCount)
        guard !wasWatched else { return }
        for peer in self.contents[content]?.keys.map({ $0 }) ?? [] {
            self.change(Holder(peer: peer, content: content), nowMilliseconds: now, isNews: false) { _, _ in }
        }
    }

    func isWatched(_ content: ContentHash, nowMilliseconds now: UInt64) -> Bool { (self.watched[content] ?? 0) > now }

    /// Lets time pass, and tells whom to ask.
    ///
    /// - Parameter limit: How many at most. Who is left over comes with the next call.
    public mutating func nextVerifications(limit: Int, nowMilliseconds now: UInt64) -> [VerificationRequest] {
        var requests: [VerificationRequest] = []
        var postponed: [Wake] = []
        while let wake = self.wakes.min, wake.at <= now {
            _ = self.wakes.popMin()
            let holder = wake.holder
            guard self.contents[holder.content]?[holder.peer]?.wakeAt == wake.at else { continue }
            if requests.count >= limit, self.isDue(holder, nowMilliseconds: now) {
                postponed.append(wake)
                continue
            }
            self.change(holder, nowMilliseconds: now, isNews: false) { table, record in
                guard table.isDue(record, holder.content, nowMilliseconds: now) else { return }
                record.question = table.nextQuestion
                record.askedAt = now
                table.nextQuestion += 1
                requests.append(VerificationRequest(peer: holder.peer, content: holder.content, number: record.question))
            }
        }
        for wake in postponed { self.wakes.insert(wake) }
        return requests
    }

    /// Takes the outcome of a question. One that is no longer of interest, because the peer has withdrawn meanwhile, changes nothing.
    public mutating func verified(_ request: VerificationRequest, outcome: VerificationOutcome, nowMilliseconds now: UInt64) {
        let holder = Holder(peer: request.peer, content: request.content)
        guard let known = self.contents[holder.content]?[holder.peer], known.question == request.number else { return }
        switch outcome {
        case .proved: self.learn(.proved, of: request.peer, nowMilliseconds: now)
        case .disproved: self.learn(.disproved, of: request.peer, nowMilliseconds: now)
        case .unanswered: self.learn(.unreachable, of: request.peer, nowMilliseconds: now)
        case .postponed: break
        }
        self.change(holder, nowMilliseconds: now) { table, record in
            record.question = 0
            switch outcome {
            case .proved: table.decide(true, &record, of: holder, nowMilliseconds: now)
            case .disproved: table.decide(false, &record, of: holder, nowMilliseconds: now)
            case .postponed: record.verifyAt = now.adding(table.configuration.retryInterval.millisecondCount)
            case .unanswered:
                record.tries += 1
                if record.tries < table.configuration.tryCount {
                    table.apply(.unproved, to: &record, of: holder, nowMilliseconds: now)
                } else {
                    // What was high when the questions began stays so until they are over.
                    let level = record.isUrgent ? .high : table.level(record, nowMilliseconds: now).0
                    record.tries = 0
                    record.doubtedAt = now
                    record.isUrgent = false
                    record.verifyAt = .max
                    table.apply(.exhausted(level), to: &record, of: holder, nowMilliseconds: now)
                }
            }
        }
    }

    // MARK: Moving a record

    /// Proof or failure: what was reported is confirmed or refuted, and does not count a second time.
    mutating func decide(_ hasIt: Bool, _ record: inout HolderRecord, of holder: Holder, nowMilliseconds now: UInt64) {
        // A peer that says itself that it has it no longer may still have blocks.
        guard !record.isWithdrawn else { return }
        // Whatever was the reason: who could not reach a peer that we can reach is of little help here.
        for report in record.reports {
            self.learn(hasIt ? .reportRefuted : .reportConfirmed, of: report.reporter, nowMilliseconds: now)
        }
        self.reportCount -= record.reports.count
        record.reports = []
        record.clearedAt = now
        record.doubtedAt = 0
        record.tries = 0
        if hasIt { record.provedAt = now }
        self.apply(hasIt ? .proved : .disproved, to: &record, of: holder, nowMilliseconds: now)
    }

    mutating func apply(_ event: AvailabilityEvent, to record: inout HolderRecord, of holder: Holder, nowMilliseconds now: UInt64) {
        let transition = AvailabilityTransition(from: record.status, on: event, rules: self.configuration.rules)
        let old = record.status
        record.status = transition.status
        if transition.status != old || record.changedAt == 0 { record.changedAt = now }
        if transition.status != old {
            self.note(.statusChanged(holder.peer, holder.content, from: old, to: transition.status, on: event))
        }
        // Whoever has failed is asked again when there is news of it, and not before, also when it has failed again.
        if transition.status == .unavailable, transition.status != old || event == .disproved {
            record.verifyAt = .max
            record.isUrgent = false
        }
        switch transition.action {
        case .none: break
        case .verifyNow:
            // What is urgent already goes on with the tries that it has had.
            if !record.isUrgent { record.tries = 0 }
            if case .reported = event { record.isUrgent = true }
            record.verifyAt = min(record.verifyAt, max(now, record.askedAt == 0 ? 0 : record.askedAt.adding(self.configuration.minimumInterval.millisecondCount)))
        case .verifyLater, .clearReports:
            let next = now.adding(self.interval(for: record.status))
            record.isUrgent = false
            record.verifyAt = transition.action == .clearReports ? next : min(record.verifyAt, next)
        case .retry:
            record.verifyAt = now.adding(self.configuration.retryInterval.millisecondCount)
        }
    }

    /// The rhythm of a status, varied.
    mutating func interval(for status: PeerContentStatus) -> UInt64 {
        let base = Double((status == .suspect ? self.configuration.suspectInterval : self.configuration.availableInterval).millisecondCount)
        let jitter = min(max(self.configuration.jitter, 0), 1)
        return UInt64(max(1, base * (1 + jitter * (2 * Double.random(in: 0..<1, using: &self.generator) - 1))))
    }

    func isDue(_ holder: Holder, nowMilliseconds now: UInt64) -> Bool {
        self.contents[holder.content]?[holder.peer].map { self.isDue($0, holder.content, nowMilliseconds: now) } ?? false
    }

    private func isDue(_ record: HolderRecord, _ content: ContentHash, nowMilliseconds now: UInt64) -> Bool {
        self.isAskable(record, content, nowMilliseconds: now) && record.verifyAt <= now
    }

    private func isAskable(_ record: HolderRecord, _ content: ContentHash, nowMilliseconds now: UInt64) -> Bool {
        self.configuration.rules.verifies && record.question == 0 && record.isClaimed(nowMilliseconds: now)
            && (record.isUrgent || self.isWatched(content, nowMilliseconds: now))
    }

    // MARK: The life of a record

    /// Makes a record if there is none.
    mutating func ensureRecord(_ holder: Holder, isClaim: Bool, nowMilliseconds now: UInt64) throws(AvailabilityError) {
        guard self.contents[holder.content]?[holder.peer] == nil else { return }
        guard (self.contentsOfPeer[holder.peer]?.count ?? 0) < self.configuration.recordsPerPeer else { throw .quotaExceeded }
        guard (self.contents[holder.content]?.count ?? 0) < self.configuration.recordsPerContent else { throw .noRoom }
        if self.count >= self.configuration.recordLimit {
            // On a mere report nothing else has to go.
            guard isClaim else { throw .noRoom }
            self.shed(nowMilliseconds: now)
            guard self.count < self.configuration.recordLimit else { throw .noRoom }
        }
        var record = HolderRecord()
        record.changedAt = now
        if self.configuration.rules.verifies { record.verifyAt = now.adding(self.interval(for: .available)) }
        self.contents[holder.content, default: [:]][holder.peer] = record
        self.contentsOfPeer[holder.peer, default: []].insert(holder.content)
        self.count += 1
        if isClaim { self.note(.found(holder.peer, holder.content)) }
    }

    /// Changes a record, lets the time until now pass for it, and finds when it is to be looked at again.
    mutating func change(_ holder: Holder, nowMilliseconds now: UInt64, isNews: Bool = true, _ body: (inout AvailabilityTable, inout HolderRecord) -> Void) {
        guard var record = self.contents[holder.content]?[holder.peer] else { return }
        let before = record
        body(&self, &record)
        guard self.settle(&record, of: holder, nowMilliseconds: now) else {
            // What was counted of it is counted off.
            self.contents[holder.content]?[holder.peer] = record
            return self.remove(holder)
        }
        let wakeAt = self.wakeTime(record, holder.content, nowMilliseconds: now)
        if wakeAt != record.wakeAt {
            record.wakeAt = wakeAt
            if wakeAt != .max { self.schedule(Wake(at: wakeAt, holder: holder)) }
        }
        guard record != before else {
            // It was taken from the heap to be looked at.
            if !isNews, wakeAt != .max, wakeAt <= now { self.schedule(Wake(at: wakeAt, holder: holder)) }
            return
        }
        self.contents[holder.content]?[holder.peer] = record
        self.touched.insert(holder)
    }

    /// Time passes. False: there is nothing left to know.
    private mutating func settle(_ record: inout HolderRecord, of holder: Holder, nowMilliseconds now: UInt64) -> Bool {
        let lifetime = self.reportLifetime
        let countBefore = record.reports.count
        if countBefore > 0 {
            record.reports.removeAll { now.since($0.timestampMilliseconds) >= lifetime }
            self.reportCount -= countBefore - record.reports.count
        }
        if record.claimedUntil > 0, record.claimedUntil <= now {
            record.claimedUntil = 0
            self.note(.expired(holder.peer, holder.content))
            self.apply(.expired, to: &record, of: holder, nowMilliseconds: now)
        }
        if record.status == .suspect, self.doubtIsOver(record, nowMilliseconds: now) {
            record.doubtedAt = 0
            self.apply(.decayed(.none), to: &record, of: holder, nowMilliseconds: now)
        }
        if record.claimedUntil > 0 || !record.reports.isEmpty || record.status == .suspect || record.question != 0 { return true }
        return now < self.memoryEnd(record)
    }

    /// Until when a record is kept that nobody claims and nobody reports: an unavailable holder stays so for a while, and refuted reports are not to be heard again.
    private func memoryEnd(_ record: HolderRecord) -> UInt64 {
        let cleared = record.clearedAt == 0 ? 0 : record.clearedAt.adding(self.reportLifetime)
        return record.status == .unavailable ? max(cleared, record.changedAt.adding(self.configuration.unavailableMemory.millisecondCount)) : cleared
    }

    private func wakeTime(_ record: HolderRecord, _ content: ContentHash, nowMilliseconds now: UInt64) -> UInt64 {
        var time = UInt64.max
        if self.isAskable(record, content, nowMilliseconds: now) { time = min(time, record.verifyAt) }
        if record.claimedUntil > 0 { time = min(time, record.claimedUntil) }
        if let oldest = record.reports.lazy.map(\.timestampMilliseconds).min() { time = min(time, oldest.adding(self.reportLifetime)) }
        if record.status == .suspect {
            let halfLife = self.configuration.reportHalfLife.millisecondCount
            let fall = now.adding(timeToFall(from: self.level(record, nowMilliseconds: now).weight, to: 1, halfLife))
            let doubt = record.doubtedAt == 0 ? 0 : record.doubtedAt.adding(halfLife)
            time = min(time, max(fall, doubt, now + 1))
        }
        // One that is being asked is looked at when it has answered, one that is reported when the reports are forgotten.
        if record.status != .suspect, record.claimedUntil == 0, record.question == 0, record.reports.isEmpty { time = min(time, self.memoryEnd(record)) }
        return time
    }

    private mutating func schedule(_ wake: Wake) {
        self.wakes.insert(wake)
        guard self.wakes.count > 2 * self.count + 1_024 else { return }
        // Most of them are no longer true.
        var all: [Wake] = []
        all.reserveCapacity(self.count)
        for (content, holders) in self.contents {
            for (peer, record) in holders where record.wakeAt != .max { all.append(Wake(at: record.wakeAt, holder: Holder(peer: peer, content: content))) }
        }
        all.append(wake)
        self.wakes = Heap(all)
    }

    mutating func remove(_ holder: Holder) {
        guard let record = self.contents[holder.content]?.removeValue(forKey: holder.peer) else { return }
        if self.contents[holder.content]?.isEmpty == true { self.contents[holder.content] = nil }
        self.contentsOfPeer[holder.peer]?.remove(holder.content)
        if self.contentsOfPeer[holder.peer]?.isEmpty == true { self.contentsOfPeer[holder.peer] = nil }
        self.count -= 1
        self.reportCount -= record.reports.count
        self.touched.insert(holder)
    }

    /// Makes room for a sixteenth: first goes what nobody claims and nobody has failed at, then half of those with the most claims.
    private mutating func shed(nowMilliseconds now: UInt64) {
        let enough = self.configuration.recordLimit - max(1, self.configuration.recordLimit / 16)
        for (content, holders) in self.contents {
            for (peer, record) in holders where record.claimedUntil <= now && record.status != .unavailable { self.remove(Holder(peer: peer, content: content)) }
        }
        for (peer, contents) in self.contentsOfPeer.sorted(by: { $0.value.count > $1.value.count }) {
            for content in contents.prefix((contents.count + 1) / 2) {
                guard self.count > enough else { return }
                self.remove(Holder(peer: peer, content: content))
            }
        }
    }

    // MARK: Keeping

    /// Whether there is something to be kept.
    var isTouched: Bool { !self.touched.isEmpty || !self.touchedPeers.isEmpty }

    /// The pairs that have changed since the last call, with their records; `nil` for those that were forgotten.
    public mutating func takeTouched() -> [(peer: PeerID, content: ContentHash, record: HolderRecord?)] {
        defer { self.touched.removeAll(keepingCapacity: true) }
        return self.touched.map { ($0.peer, $0.content, self.contents[$0.content]?[$0.peer]) }
    }

    /// The peers whose reputation has changed since the last call.
    public mutating func takeTouchedPeers() -> [(peer: PeerID, reputation: Reputation)] {
        defer { self.touchedPeers.removeAll(keepingCapacity: true) }
        return self.touchedPeers.compactMap { peer in self.reputations[peer].map { (peer, $0) } }
    }

    /// Puts back what was kept. What is over meanwhile is left out, and what is known already is newer.
    public mutating func restore(_ holders: [HolderSnapshot], reputations: [PeerID: Reputation], nowMilliseconds now: UInt64) {
        let before = (self.changes, self.touched)
        for (peer, reputation) in reputations where self.reputations[peer] == nil { self.reputations.restore(reputation, of: peer, nowMilliseconds: now) }
        for snapshot in holders {
            let holder = Holder(peer: snapshot.peer, content: snapshot.content)
            guard self.contents[holder.content]?[holder.peer] == nil, self.count < self.configuration.recordLimit else { continue }
            guard snapshot.record.isPlausible(nowMilliseconds: now) else { continue }
            guard (self.contents[holder.content]?.count ?? 0) < self.configuration.recordsPerContent else { continue }
            var record = snapshot.record
            record.reports = Array(record.reports.prefix(max(0, min(self.configuration.reportsPerRecord, self.configuration.reportLimit - self.reportCount))))
            self.contents[holder.content, default: [:]][holder.peer] = record
            self.contentsOfPeer[holder.peer, default: []].insert(holder.content)
            self.count += 1
            self.reportCount += record.reports.count
            self.change(holder, nowMilliseconds: now) { _, _ in }
        }
        // What was kept is no news.
        (self.changes, self.touched) = before
    }
}
