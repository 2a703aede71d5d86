import DIGIdentity

/// One search: whom to ask, when to give up on whom, and what to tell the reader.
///
/// The caller passes `now`, performs the returned actions in order, calls ``deadlineReached(now:)`` when ``deadline`` passes, and takes what there is to
/// tell with ``nextEvent()`` after each input. Early and repeated calls are harmless. What waits to be told is bounded by the holders: of a holder that
/// changes before it is told, only the last state is.
struct SearchStateMachine {
    typealias Instant = ContinuousClock.Instant

    struct Mechanism: Hashable {
        var source: DiscoverySource
        var isListening: Bool
    }

    enum Action: Hashable {
        /// Reads the mechanism of that index; what comes is of that round.
        case ask(Int, round: UInt64)
        /// Stops reading.
        case stop(Int)
        case record(SearchRecord)
    }

    private enum Phase: Hashable {
        /// Until `deadline`; nil: as long as any other does, or for ever.
        case asking(since: Instant, deadline: Instant?)
        case resting(until: Instant)
        case ended
    }

    private struct Slot {
        var mechanism: Mechanism
        var phase = Phase.ended
        var round: UInt64 = 0
        var named: Set<PeerID> = []
        var timeToFirst: Duration?
        /// How often it has rested, and how often in a row because it could not search.
        var rests = 0
        var failures = 0
        var endedAt: Instant?
        /// What it may still say.
        var allowance: Double
        var allowanceAt: Instant
        /// Its end that waits to be told.
        var end: (outcome: DiscoveryOutcome, duration: Duration)?
    }

    private enum Pending: Hashable {
        case holder(PeerID)
        case end(Int)
    }

    private let configuration: DiscoveryConfiguration
    private let options: HolderSearchOptions
    private let start: Instant
    private var slots: [Slot]
    private var holders: HolderTable
    private var queue: [Pending] = []
    private var head = 0
    private var queued: Set<Pending> = []
    private(set) var isEnded = false

    init(
        _ mechanisms: [Mechanism], ourselves: PeerID, options: HolderSearchOptions, configuration: DiscoveryConfiguration, now: Instant
    ) {
        self.configuration = configuration
        self.options = options
        self.start = now
        self.slots = mechanisms.map { Slot(mechanism: $0, allowance: Double(configuration.maximumResultsPerSearch), allowanceAt: now) }
        self.holders = HolderTable(
            limits: .init(holders: max(1, configuration.maximumHoldersPerSearch), addresses: max(1, configuration.maximumAddressesPerHolder)),
            sources: mechanisms.map(\.source), ourselves: ourselves)
    }

    // MARK: Outputs

    /// Everything was told: there is nothing to wait for.
    var isOver: Bool { self.isEnded && self.head == self.queue.count }

    mutating func nextEvent() -> DiscoveryEvent? {
        guard self.head < self.queue.count else { return nil }
        let pending = self.queue[self.head]
        self.head += 1
        if self.head == self.queue.count {
            self.queue.removeAll(keepingCapacity: true)
            self.head = 0
        } else if self.head >= 1_024 {
            self.queue.removeFirst(self.head)
            self.head = 0
        }
        self.queued.remove(pending)
        switch pending {
        case .holder(let peer):
            return self.holders[peer].map { .found($0) }
        case .end(let index):
            guard let end = self.slots[index].end else { return nil }
            self.slots[index].end = nil
            return .ended(self.slots[index].mechanism.source, end.outcome, end.duration)
        }
    }

    var deadline: Instant? {
        guard !self.isEnded else { return nil }
        return self.slots.lazy.compactMap { slot in
            switch slot.phase {
            case .asking(_, let deadline): deadline
            case .resting(let until): until
            case .ended: nil
            }
        }.min()
    }

    func isAsking(_ index: Int, round: UInt64) -> Bool {
        guard case .asking = self.slots[index].phase else { return false }
        return self.slots[index].round == round
    }

    private mutating func tell(_ pending: Pending) {
        if self.queued.insert(pending).inserted { self.queue.append(pending) }
    }

    // MARK: Inputs

    mutating func started(now: Instant) -> [Action] {
        var actions: [Action] = []
        for index in self.slots.indices { actions.append(self.ask(index, now: now)) }
        if self.slots.isEmpty { self.isEnded = true }
        return actions
    }

    mutating func found(_ holder: FoundHolder, by index: Int, round: UInt64, now: Instant) -> [Action] {
        guard self.isAsking(index, round: round), case .asking(let since, _) = self.slots[index].phase else { return [] }
        guard self.mayStillSpeak(index, now: now) else { return self.end(index, .flooded, isStillReading: true, now: now) }
        let source = self.slots[index].mechanism.source
        switch self.holders.add(holder, from: source, after: now - self.start) {
        case .new, .changed: self.tell(.holder(holder.peer))
        case .unchanged: break
        case .refused: return []
        }
        // Ourselves is nobody found.
        if self.holders[holder.peer] != nil, self.slots[index].named.insert(holder.peer).inserted, self.slots[index].timeToFirst == nil {
            self.slots[index].timeToFirst = now - since
        }
        if let limit = self.options.limit, self.holders.claimedCount >= limit {
            return self.endAll(now: now) { .completed(found: $0) }
        }
        return []
    }

    /// A mechanism has said all it knows, or failed.
    mutating func ended(_ index: Int, round: UInt64, failure: String?, now: Instant) -> [Action] {
        guard self.isAsking(index, round: round) else { return [] }
        let outcome: DiscoveryOutcome = failure.map { .failed($0) } ?? .completed(found: self.slots[index].named.count)
        return self.end(index, outcome, isStillReading: false, now: now)
    }

    mutating func deadlineReached(now: Instant) -> [Action] {
        var actions: [Action] = []
        for index in self.slots.indices {
            switch self.slots[index].phase {
            case .asking(let since, let deadline?) where now >= deadline:
                if self.slots[index].mechanism.isListening {
                    // Long enough. It may go on for as long as the others take.
                    self.slots[index].phase = .asking(since: since, deadline: nil)
                    actions += self.endListening(now: now)
                } else {
                    actions += self.end(index, .timedOut, isStillReading: true, now: now)
                }
            case .resting(let until) where now >= until:
                actions.append(self.ask(index, now: now))
            case .asking, .resting, .ended: break
            }
        }
        return actions
    }

    /// Somebody is there who was not before: those that rest, and have done so for a moment, are asked at once.
    mutating func peersChanged(now: Instant) -> [Action] {
        guard !self.isEnded else { return [] }
        var actions: [Action] = []
        for index in self.slots.indices {
            guard case .resting = self.slots[index].phase, let endedAt = self.slots[index].endedAt,
                now - endedAt >= self.configuration.searchRetryInterval
            else { continue }
            actions.append(self.ask(index, now: now))
        }
        return actions
    }

    /// The reader has stopped, or the manager.
    mutating func cancelled(now: Instant) -> [Action] {
        self.endAll(now: now) { _ in .cancelled }
    }

    // MARK: Steps

    private mutating func ask(_ index: Int, now: Instant) -> Action {
        self.slots[index].round += 1
        self.slots[index].named = []
        self.slots[index].timeToFirst = nil
        let limit: Duration? =
            switch (self.slots[index].mechanism.isListening, self.options.until) {
            case (true, .cancelled): nil
            case (true, .answered): self.configuration.listeningTime
            case (false, _): self.configuration.searchTimeout
            }
        self.slots[index].phase = .asking(since: now, deadline: limit.map { now + $0 })
        return .ask(index, round: self.slots[index].round)
    }

    private mutating func mayStillSpeak(_ index: Int, now: Instant) -> Bool {
        let slot = self.slots[index]
        let earned = max(0, (now - slot.allowanceAt) / .seconds(1)) * self.configuration.resultsPerSecond
        let allowance = min(Double(self.configuration.maximumResultsPerSearch), slot.allowance + earned)
        self.slots[index].allowanceAt = now
        self.slots[index].allowance = max(0, allowance - 1)
        return allowance >= 1
    }

    private mutating func end(_ index: Int, _ outcome: DiscoveryOutcome, isStillReading: Bool, now: Instant) -> [Action] {
        var actions = self.close(index, outcome, isStillReading: isStillReading, now: now)
        if self.options.until == .cancelled {
            self.slots[index].phase = .resting(until: now + max(.milliseconds(1), self.rest(index, after: outcome)))
            self.slots[index].endedAt = now
        } else {
            actions += self.endListening(now: now)
        }
        return actions
    }

    private mutating func rest(_ index: Int, after outcome: DiscoveryOutcome) -> Duration {
        if case .failed = outcome {
            let wait = self.configuration.searchRetryInterval * (1 << min(self.slots[index].failures, 16))
            self.slots[index].failures += 1
            return min(wait, self.configuration.searchInterval)
        }
        let wait = self.configuration.searchInterval * (1 << min(self.slots[index].rests, 16))
        self.slots[index].failures = 0
        self.slots[index].rests += 1
        return min(wait, self.configuration.maximumSearchInterval)
    }

    /// Ends the search if only those are left that have listened for long enough.
    private mutating func endListening(now: Instant) -> [Action] {
        let isAnyoneExpected = self.slots.contains { slot in
            switch slot.phase {
            case .asking(_, let deadline): deadline != nil
            case .resting: true
            case .ended: false
            }
        }
        return isAnyoneExpected ? [] : self.endAll(now: now) { .completed(found: $0) }
    }

    private mutating func endAll(now: Instant, _ outcome: (Int) -> DiscoveryOutcome) -> [Action] {
        guard !self.isEnded else { return [] }
        self.isEnded = true
        var actions: [Action] = []
        for index in self.slots.indices {
            guard case .asking = self.slots[index].phase else {
                self.slots[index].phase = .ended
                continue
            }
            actions += self.close(index, outcome(self.slots[index].named.count), isStillReading: true, now: now)
        }
        return actions
    }

    private mutating func close(_ index: Int, _ outcome: DiscoveryOutcome, isStillReading: Bool, now: Instant) -> [Action] {
        guard case .asking(let since, _) = self.slots[index].phase else { return [] }
        let slot = self.slots[index]
        self.slots[index].phase = .ended
        self.slots[index].end = (outcome, now - since)
        self.tell(.end(index))
        let record = SearchRecord(source: slot.mechanism.source, outcome: outcome, found: slot.named.count, timeToFirst: slot.timeToFirst)
        return (isStillReading ? [.stop(index)] : []) + [.record(record)]
    }
}
