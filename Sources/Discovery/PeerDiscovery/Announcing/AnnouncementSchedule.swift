import DIGAnnouncement
import DequeModule
import HeapModule

/// What is announced by which mechanism, and when it is announced again or tried again.
///
/// The caller passes `now`, takes what there is to do with ``poll(now:)`` after each input and when ``deadline(now:)`` passes, and reports each
/// job's end with ``finished(_:outcome:duration:now:using:)`` and that it has really returned, should it have been given up, with ``returned(_:)``.
/// Of one content and mechanism at most one job is under way.
struct AnnouncementSchedule {
    typealias Instant = ContinuousClock.Instant
    typealias Outcome = AnnouncementReport.Outcome

    struct Mechanism: Hashable {
        var source: DiscoverySource
        /// What it took once it announces again by itself.
        var keepsAnnouncing: Bool
    }

    struct Job: Hashable, Sendable {
        var content: AnnouncedContent
        var mechanism: Int
        var isWithdrawal: Bool
        /// What the content's jobs are done for; a later one has another.
        var round: UInt64
        var number: UInt64
    }

    enum Output: Hashable {
        case start(Job)
        /// It is of no use any more.
        case cancel(Job)
        /// Every mechanism has had its first outcome since the content was announced or withdrawn last.
        case completed(AnnouncementReport, round: UInt64)
    }

    private struct Slot {
        var running: Job?
        /// When there is something to do; nil: nothing by itself.
        var due: Instant?
        var failures = 0
        var outcome = Outcome.pending
        var duration = Duration.zero
        var takenAt: Instant?
        /// What `outcome` is of.
        var round: UInt64 = 0
        /// Waits among the urgent.
        var isQueued = false
    }

    private struct Entry {
        var content: AnnouncedContent
        var isWithdrawn = false
        var round: UInt64
        var isCompleted = false
        var slots: [Slot]
    }

    /// Something due. It counts only if the slot is due at that time still.
    private struct Due: Comparable {
        var at: Instant
        var key: RendezvousKey
        static func < (lhs: Self, rhs: Self) -> Bool { lhs.at < rhs.at }
        static func == (lhs: Self, rhs: Self) -> Bool { lhs.at == rhs.at }
    }

    private struct Lane {
        var mechanism: Mechanism
        /// What somebody waits for, in order.
        var urgent: Deque<RendezvousKey> = []
        var later: Heap<Due> = []
        /// What nobody took.
        var open: Set<RendezvousKey> = []
        var runningCount = 0
        /// Started and not returned, given up or not.
        var unreturnedCount = 0
        /// Announcements that may be made again now.
        var tokens: Double
        var tokensAt: Instant
    }

    private let configuration: DiscoveryConfiguration
    private var lanes: [Lane]
    private var entries: [RendezvousKey: Entry] = [:]
    private var outputs: Deque<Output> = []
    private var nextRound: UInt64 = 1
    private var nextNumber: UInt64 = 1
    /// Entries that are announced.
    private(set) var announcedCount = 0

    init(_ mechanisms: [Mechanism], configuration: DiscoveryConfiguration, now: Instant) {
        self.configuration = configuration
        self.lanes = mechanisms.map { Lane(mechanism: $0, tokens: configuration.announcementRate, tokensAt: now) }
    }

    // MARK: What is announced

    /// All contents that are announced, in no order.
    var reports: [AnnouncementReport] { self.entries.values.lazy.filter { !$0.isWithdrawn }.map { self.report($0) } }

    func report(_ key: RendezvousKey) -> AnnouncementReport? { self.entries[key].map { self.report($0) } }

    func isAnnounced(_ key: RendezvousKey) -> Bool { self.entries[key].map { !$0.isWithdrawn } ?? false }

    var announcedKeys: [RendezvousKey] { self.entries.lazy.filter { !$0.value.isWithdrawn }.map(\.key) }

    func unreturnedCount(_ mechanism: Int) -> Int { self.lanes[mechanism].unreturnedCount - self.lanes[mechanism].runningCount }

    private func report(_ entry: Entry) -> AnnouncementReport {
        let entries = zip(self.lanes, entry.slots).map { lane, slot in
            AnnouncementReport.Entry(
                source: lane.mechanism.source, outcome: slot.outcome, duration: slot.duration, takenAt: slot.takenAt, nextAt: slot.running == nil ? slot.due : nil)
        }
        return AnnouncementReport(content: entry.content, entries: entries)
    }

    // MARK: Inputs

    /// Announces at once, by all mechanisms.
    ///
    /// - Returns: The round, by which the report can be told from others; nil if there is no room.
    mutating func announce(_ content: AnnouncedContent, now: Instant) -> UInt64? {
        guard let round = self.enter(content) else { return nil }
        for index in self.lanes.indices { self.makeUrgent(content.key, index, now: now) }
        self.complete(content.key)
        return round
    }

    func hasRoom(for contents: [AnnouncedContent]) -> Bool {
        let new = Set(contents.lazy.map(\.key).filter { self.entries[$0] == nil }).count
        return self.entries.count + new <= self.configuration.maximumAnnouncements
    }

    /// Announces when there is time, by all mechanisms but those that do it by themselves.
    ///
    /// - Parameter isTakenOver: Of that mechanism.
    /// - Returns: False if there is no room for all of them; then none is announced.
    mutating func announce(all contents: [AnnouncedContent], isTakenOver: (Int) -> Bool, now: Instant) -> Bool {
        guard self.hasRoom(for: contents) else { return false }
        for content in contents {
            guard self.enter(content) != nil else { continue }
            for index in self.lanes.indices {
                if isTakenOver(index) {
                    self.takeOver(content.key, index, now: now)
                } else {
                    self.makeDue(content.key, index, at: now)
                }
            }
            self.complete(content.key)
        }
        return true
    }

    /// - Returns: The round, as ``announce(_:now:)``.
    mutating func withdraw(_ key: RendezvousKey, now: Instant) -> UInt64? {
        if self.entries[key] == nil {
            // Perhaps announced in the run before.
            guard self.enter(AnnouncedContent(key)) != nil else { return nil }
        }
        guard var entry = self.entries[key] else { return nil }
        if !entry.isWithdrawn { self.announcedCount -= 1 }
        entry.isWithdrawn = true
        entry.round = self.takeRound()
        entry.isCompleted = false
        for index in entry.slots.indices {
            entry.slots[index].failures = 0
            if let job = entry.slots[index].running, !job.isWithdrawal { self.outputs.append(.cancel(job)) }
        }
        self.entries[key] = entry
        for index in self.lanes.indices { self.makeUrgent(key, index, now: now) }
        self.complete(key)
        return entry.round
    }

    /// Announces again what nobody took, because somebody may be there by now; or everything, because it says something new.
    ///
    /// - Parameter instant: When; what is due before stays so.
    mutating func announceAgain(everything: Bool, at instant: Instant) {
        for index in self.lanes.indices {
            for key in everything ? Array(self.entries.keys) : Array(self.lanes[index].open) {
                guard let entry = self.entries[key], !entry.isWithdrawn, entry.slots[index].running == nil,
                    entry.slots[index].due.map({ $0 > instant }) ?? true
                else { continue }
                self.makeDue(key, index, at: instant)
            }
        }
    }

    /// A job has an outcome, or was given up.
    mutating func finished(_ job: Job, outcome: Outcome, duration: Duration, now: Instant, using generator: inout some RandomNumberGenerator) {
        guard var entry = self.entries[job.content.key], entry.slots[job.mechanism].running == job else { return }
        let key = job.content.key
        let keepsAnnouncing = self.lanes[job.mechanism].mechanism.keepsAnnouncing
        self.lanes[job.mechanism].runningCount -= 1
        entry.slots[job.mechanism].running = nil
        // Of whatever round: somebody may know of it.
        if !job.isWithdrawal, Self.mayBeTaken(outcome) { entry.slots[job.mechanism].takenAt = now }
        guard job.round == entry.round else {
            self.entries[key] = entry
            self.makeUrgent(key, job.mechanism, now: now)
            return
        }
        var slot = entry.slots[job.mechanism]
        slot.outcome = outcome
        slot.duration = duration
        slot.round = job.round
        if Self.isSuccess(outcome) {
            slot.failures = 0
            self.lanes[job.mechanism].open.remove(key)
            let level = job.content.level
            slot.due = job.isWithdrawal || keepsAnnouncing && level != .high ? nil : now + self.interval(level, using: &generator)
        } else {
            let retry = now + self.retryInterval(after: slot.failures, using: &generator)
            slot.failures += 1
            let isWorthwhile = !job.isWithdrawal || slot.takenAt.map { retry < $0 + self.configuration.announcementLifetime } ?? false
            slot.due = isWorthwhile ? retry : nil
            if job.isWithdrawal { self.lanes[job.mechanism].open.remove(key) } else { self.lanes[job.mechanism].open.insert(key) }
        }
        entry.slots[job.mechanism] = slot
        self.entries[key] = entry
        if let due = slot.due { self.insert(Due(at: due, key: key), job.mechanism) }
        self.complete(key)
    }

    /// The operation of a job has come back, however long ago it was given up.
    mutating func returned(_ job: Job) { self.lanes[job.mechanism].unreturnedCount -= 1 }

    // MARK: Outputs

    mutating func poll(now: Instant, using generator: inout some RandomNumberGenerator) -> Output? {
        while true {
            if let output = self.outputs.popFirst() { return output }
            guard let job = self.nextJob(now: now) else { return nil }
            guard self.lanes[job.mechanism].unreturnedCount - self.lanes[job.mechanism].runningCount < self.configuration.maximumUnreturnedOperations
            else {
                self.lanes[job.mechanism].runningCount += 1
                let outcome = Outcome.failed("it has stopped to answer")
                self.finished(job, outcome: outcome, duration: .zero, now: now, using: &generator)
                continue
            }
            self.lanes[job.mechanism].runningCount += 1
            self.lanes[job.mechanism].unreturnedCount += 1
            return .start(job)
        }
    }

    /// When ``poll(now:using:)`` is to be called next, unless something happens before.
    mutating func deadline(now: Instant) -> Instant? {
        var earliest: Instant?
        for index in self.lanes.indices where self.lanes[index].runningCount < max(1, self.configuration.announcementParallelism) {
            guard let due = self.nextDue(index) else { continue }
            let at = max(due, self.tokenAt(index, now: now))
            earliest = min(earliest ?? at, at)
        }
        return earliest
    }

    // MARK: Steps

    private mutating func takeRound() -> UInt64 {
        defer { self.nextRound += 1 }
        return self.nextRound
    }

    private mutating func enter(_ content: AnnouncedContent) -> UInt64? {
        let round = self.takeRound()
        if var entry = self.entries[content.key] {
            if entry.isWithdrawn { self.announcedCount += 1 }
            for index in entry.slots.indices {
                entry.slots[index].failures = 0
                if let job = entry.slots[index].running, job.isWithdrawal { self.outputs.append(.cancel(job)) }
            }
            entry.content = content
            entry.isWithdrawn = false
            entry.isCompleted = false
            entry.round = round
            self.entries[content.key] = entry
        } else {
            guard self.entries.count < self.configuration.maximumAnnouncements else { return nil }
            self.entries[content.key] = Entry(content: content, round: round, slots: Array(repeating: Slot(), count: self.lanes.count))
            self.announcedCount += 1
        }
        return round
    }

    private mutating func takeOver(_ key: RendezvousKey, _ index: Int, now: Instant) {
        guard var entry = self.entries[key] else { return }
        entry.slots[index].outcome = .inBackground
        entry.slots[index].round = entry.round
        entry.slots[index].due = nil
        entry.slots[index].takenAt = now
        self.entries[key] = entry
    }

    private mutating func makeUrgent(_ key: RendezvousKey, _ index: Int, now: Instant) {
        guard var slot = self.entries[key]?.slots[index] else { return }
        slot.due = now
        let isFree = slot.running == nil && !slot.isQueued
        if isFree { slot.isQueued = true }
        self.entries[key]?.slots[index] = slot
        if isFree { self.lanes[index].urgent.append(key) }
    }

    private mutating func makeDue(_ key: RendezvousKey, _ index: Int, at instant: Instant) {
        guard var slot = self.entries[key]?.slots[index] else { return }
        slot.due = instant
        self.entries[key]?.slots[index] = slot
        if slot.running == nil { self.insert(Due(at: instant, key: key), index) }
    }

    private mutating func insert(_ due: Due, _ index: Int) {
        self.lanes[index].later.insert(due)
        // Those that no longer count, because they were put forward, are not to pile up.
        guard self.lanes[index].later.count > 2 * self.entries.count + 1_024 else { return }
        self.lanes[index].later = Heap(
            self.entries.lazy.compactMap { key, entry in
                let slot = entry.slots[index]
                return slot.running == nil ? slot.due.map { Due(at: $0, key: key) } : nil
            })
    }

    private mutating func nextJob(now: Instant) -> Job? {
        for index in self.lanes.indices where self.lanes[index].runningCount < max(1, self.configuration.announcementParallelism) {
            while let key = self.lanes[index].urgent.popFirst() {
                self.entries[key]?.slots[index].isQueued = false
                if let job = self.job(key, index, now: now) { return job }
            }
            while let due = self.nextDue(index), due <= now, self.tokenAt(index, now: now) <= now, let key = self.lanes[index].later.popMin()?.key {
                guard let job = self.job(key, index, now: now) else { continue }
                self.lanes[index].tokens -= 1
                return job
            }
        }
        return nil
    }

    private mutating func job(_ key: RendezvousKey, _ index: Int, now: Instant) -> Job? {
        guard let entry = self.entries[key], entry.slots[index].running == nil, let due = entry.slots[index].due, due <= now else { return nil }
        defer { self.nextNumber += 1 }
        let job = Job(content: entry.content, mechanism: index, isWithdrawal: entry.isWithdrawn, round: entry.round, number: self.nextNumber)
        self.entries[key]?.slots[index].running = job
        self.entries[key]?.slots[index].due = nil
        return job
    }

    /// When the first of those that are not urgent is due. Forgets what no longer counts.
    private mutating func nextDue(_ index: Int) -> Instant? {
        while let first = self.lanes[index].later.min {
            if let slot = self.entries[first.key]?.slots[index], slot.running == nil, slot.due == first.at { return first.at }
            self.lanes[index].later.removeMin()
        }
        return nil
    }

    /// When the mechanism may announce something again.
    private mutating func tokenAt(_ index: Int, now: Instant) -> Instant {
        let rate = max(0.001, self.configuration.announcementRate)
        let earned = max(0, (now - self.lanes[index].tokensAt) / .seconds(1)) * rate
        self.lanes[index].tokens = min(max(1, rate), self.lanes[index].tokens + earned)
        self.lanes[index].tokensAt = now
        let missing = 1 - self.lanes[index].tokens
        // A hair later, so that there is one then.
        return missing <= 0 ? now : now + .seconds(missing / rate) + .microseconds(1)
    }

    /// Tells once that every mechanism has had an outcome, and forgets what is withdrawn everywhere.
    private mutating func complete(_ key: RendezvousKey) {
        guard let entry = self.entries[key] else { return }
        if !entry.isCompleted, entry.slots.allSatisfy({ $0.round == entry.round }) {
            self.entries[key]?.isCompleted = true
            self.outputs.append(.completed(self.report(entry), round: entry.round))
        }
        if entry.isWithdrawn, entry.slots.allSatisfy({ $0.running == nil && $0.due == nil }) { self.entries[key] = nil }
    }

    private static func isSuccess(_ outcome: Outcome) -> Bool {
        switch outcome {
        case .taken(let count): count > 0
        case .withdrawn, .inBackground: true
        case .failed, .timedOut, .pending: false
        }
    }

    /// Others may believe it.
    private static func mayBeTaken(_ outcome: Outcome) -> Bool { outcome == .timedOut || Self.isSuccess(outcome) }

    private func interval(_ level: AnnounceLevel, using generator: inout some RandomNumberGenerator) -> Duration {
        min(self.configuration.reannounceInterval * level.intervalFactor, self.configuration.announcementLifetime) * Double.random(in: 0.8...0.95, using: &generator)
    }

    private func retryInterval(after failures: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        let wait = min(self.configuration.retryInterval * (1 << min(failures, 16)), self.configuration.maximumRetryInterval)
        return max(.milliseconds(1), wait * Double.random(in: 0.8...1.2, using: &generator))
    }
}
