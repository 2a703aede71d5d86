public import DIGAnnouncement
public import DIGIdentity
import DIGMultiformats
public import Logging
public import ServiceLifecycle
import Synchronization

/// Finds who has a content, and lets others find what this node has, by several mechanisms at once.
///
/// ```swift
/// let discovery = try PeerDiscoveryManager(
///     [KademliaMechanism(dht, source: .dht), LocalMechanism(mdns)], localPeer: identity.peerID, logger: logger)
/// // in a service group: discovery.run()
/// let report = try await discovery.announce(AnnouncedContent(RendezvousKey(hash), port: 4001))
/// print(report.takenBy)
/// for await event in discovery.find(RendezvousKey(hash)) {
///     if case .found(let holder) = event { print(holder.peer, holder.sources) }
/// }
/// ```
///
/// No mechanism waits for another, and none can hurt another by failing, hanging, or saying too much. The mechanisms' own services run beside this
/// one. Searching and announcing work also before ``run()``, which announces again what is announced.
public final class PeerDiscoveryManager: Service, Sendable {
    private struct Waiter {
        var round: UInt64
        var isWithdrawal: Bool
        var continuation: CheckedContinuation<AnnouncementReport, any Error>
    }

    private struct State {
        var schedule: AnnouncementSchedule
        var statistics: [DiscoverySource: DiscoveryStatistics.Mechanism]
        var searches: [UInt64: SearchRunner] = [:]
        var nextSearch: UInt64 = 0
        var jobs: [UInt64: Task<Void, Never>] = [:]
        var waiters: [RendezvousKey: [UInt64: Waiter]] = [:]
        var nextWaiter: UInt64 = 0
        var announcedAgainAt: ContinuousClock.Instant?
        var hasRun = false
        var isClosed = false
    }

    /// Ours: what ``announceAgain(everything:)`` asks for is done so often at most.
    private static let announceAgainInterval: Duration = .seconds(2)

    public let configuration: DiscoveryConfiguration
    private let mechanisms: [any DiscoveryMechanism]
    private let localPeer: PeerID
    private let logger: Logger
    private let state: Mutex<State>
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    /// - Parameters:
    ///   - mechanisms: Those that are enabled, one of each source at most. One is enough, and none is no error.
    ///   - localPeer: This node, which no search finds.
    /// - Throws: ``DiscoveryError`` `.invalidConfiguration` if two have the same source.
    public init(
        _ mechanisms: [any DiscoveryMechanism], localPeer: PeerID, configuration: DiscoveryConfiguration = .init(), logger: Logger
    ) throws(DiscoveryError) {
        let sources = mechanisms.map(\.source)
        guard Set(sources).count == sources.count else { throw DiscoveryError(.invalidConfiguration, "two mechanisms with the same source") }
        self.configuration = configuration
        self.mechanisms = mechanisms
        self.localPeer = localPeer
        self.logger = logger
        let schedule = AnnouncementSchedule(
            mechanisms.map { .init(source: $0.source, keepsAnnouncing: $0.keepsAnnouncing) }, configuration: configuration, now: .now)
        self.state = Mutex(State(schedule: schedule, statistics: Dictionary(uniqueKeysWithValues: sources.map { ($0, .init()) })))
        (self.wakes, self.wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// The mechanisms that are enabled.
    public var sources: [DiscoverySource] { self.mechanisms.map(\.source) }

    public var statistics: DiscoveryStatistics {
        self.state.withLock { state in
            var statistics = DiscoveryStatistics()
            statistics.mechanisms = state.statistics
            for (index, mechanism) in self.mechanisms.enumerated() {
                statistics.mechanisms[mechanism.source]?.unreturnedOperations = max(0, state.schedule.unreturnedCount(index))
            }
            statistics.searchCount = state.searches.count
            statistics.announcedCount = state.schedule.announcedCount
            return statistics
        }
    }

    // MARK: Life cycle

    /// Announces again what is announced, until cancelled or shut down gracefully; then ends every search and announcement. Runs once.
    ///
    /// What is announced is not withdrawn by that: others believe it until it is over. See ``withdrawAll()``.
    ///
    /// - Throws: ``DiscoveryError`` `.alreadyRunning`.
    public func run() async throws {
        let isFirst = self.state.withLock { state in
            defer { state.hasRun = true }
            return !state.hasRun
        }
        guard isFirst else { throw DiscoveryError(.alreadyRunning, "discovery is running already, or has run") }
        self.wake.yield()
        await withGracefulShutdownHandler {
            var timer: Task<Void, Never>?
            // Ends when the task is cancelled, too.
            for await _ in self.wakes {
                timer?.cancel()
                self.advance { _ in }
                if let deadline = self.state.withLock({ $0.schedule.deadline(now: .now) }) {
                    // Owned by this loop, which cancels it when it wakes for another reason and at the end.
                    timer = Task { [wake] in
                        do { try await Task.sleep(until: deadline, clock: .continuous) } catch { return }
                        wake.yield()
                    }
                }
            }
            timer?.cancel()
        } onGracefulShutdown: {
            self.wake.finish()
        }
        self.close()
    }

    private func close() {
        let (searches, jobs, waiters) = self.state.withLock { state in
            state.isClosed = true
            defer {
                state.jobs = [:]
                state.waiters = [:]
            }
            return (Array(state.searches.values), Array(state.jobs.values), state.waiters.values.flatMap(\.values))
        }
        for search in searches { search.cancel() }
        for job in jobs { job.cancel() }
        for waiter in waiters { waiter.continuation.resume(throwing: Self.closed) }
    }

    private static var closed: DiscoveryError { DiscoveryError(.closed, "discovery has ended") }

    // MARK: Finding

    /// Who has the content: asks all mechanisms at once, and tells of each holder as soon as any of them names it.
    ///
    /// A peer that several mechanisms find is one holder, told of again with what is new. Each mechanism's end is told, too, and how it ended. Too many
    /// searches at a time, or a manager that has ended, are told as the failure of every mechanism.
    ///
    /// - Parameter key: Of a content; or of a name or a plain SHA-256, to find who knows a binding.
    public func find(_ key: RendezvousKey, options: HolderSearchOptions = .init()) -> HolderSearch {
        let chosen = self.mechanisms.filter { options.sources?.contains($0.source) ?? true }
        let (id, refusal): (UInt64, DiscoveryError?) = self.state.withLock { state in
            defer { state.nextSearch += 1 }
            if state.isClosed { return (state.nextSearch, Self.closed) }
            guard state.searches.count < self.configuration.maximumSearches else {
                return (state.nextSearch, DiscoveryError(.limitExceeded, "\(state.searches.count) searches are under way already"))
            }
            return (state.nextSearch, nil)
        }
        let mechanisms: [any DiscoveryMechanism] = refusal.map { error in chosen.map { RefusedMechanism(source: $0.source, error: error) } } ?? chosen
        let runner = SearchRunner(
            key, mechanisms: mechanisms, ourselves: self.localPeer, options: refusal == nil ? options : .init(), configuration: self.configuration
        ) { [weak self] record in
            self?.count(record)
        } ended: { [weak self] in
            self?.state.withLock { _ = $0.searches.removeValue(forKey: id) }
        }
        if refusal == nil {
            let isClosed = self.state.withLock { state in
                state.searches[id] = runner
                return state.isClosed
            }
            runner.start()
            if isClosed { runner.cancel() }
        } else {
            runner.start()
        }
        return HolderSearch(runner)
    }

    /// Asks again, in the searches that go on until they are cancelled, the mechanisms that rest: the network has come up, or the first peer.
    public func searchAgain() {
        for search in self.state.withLock({ Array($0.searches.values) }) { search.peersChanged() }
    }

    private func count(_ record: SearchRecord) {
        self.state.withLock { state in
            guard var mechanism = state.statistics[record.source] else { return }
            mechanism.searches += 1
            switch record.outcome {
            case .completed, .cancelled: break
            case .failed: mechanism.failedSearches += 1
            case .timedOut: mechanism.timedOutSearches += 1
            case .flooded: mechanism.floodedSearches += 1
            }
            mechanism.holdersFound += UInt64(record.found)
            if let time = record.timeToFirst {
                mechanism.fruitfulSearches += 1
                mechanism.lastTimeToFirst = time
                mechanism.totalTimeToFirst += time
            }
            state.statistics[record.source] = mechanism
        }
        if case .failed(let reason) = record.outcome {
            self.logger.debug("a mechanism can't search", metadata: ["dig.discovery.source": "\(record.source)", "dig.discovery.error": "\(reason)"])
        }
    }

    /// Hands over every signed announcement and withdrawal of others that any mechanism hears, until it is cancelled or none hears anything any more.
    public func listen(_ body: @escaping @Sendable (SignedEnvelope) -> Void) async {
        await withDiscardingTaskGroup { group in
            for mechanism in self.mechanisms {
                let heard = mechanism.heard
                group.addTask { for await envelope in heard { body(envelope) } }
            }
        }
    }

    // MARK: Announcing

    /// Lets others find that this node has the content, by all mechanisms at once, from now on until it is withdrawn.
    ///
    /// Announcing it again with another port or name replaces what others know.
    ///
    /// - Returns: What has become of it, by mechanism, when each has had its try. Those that nobody took are tried again while ``run()`` runs.
    ///   Cancelling ends the waiting only.
    /// - Throws: ``DiscoveryError`` `.limitExceeded`, `.closed`, or `.withdrawn` if that happens meanwhile; `CancellationError`.
    @discardableResult
    public func announce(_ content: AnnouncedContent) async throws -> AnnouncementReport {
        try await self.report(of: content.key, isWithdrawal: false) { $0.announce(content, now: .now) }
    }

    /// Announces many contents in the background, while ``run()`` runs.
    ///
    /// - Throws: ``DiscoveryError`` `.limitExceeded`, then none is announced; `.closed`.
    public func announce(all contents: [AnnouncedContent]) throws {
        guard !contents.isEmpty else { return }
        let mayEnter = self.state.withLock { state in
            (state.isClosed, state.schedule.hasRoom(for: contents))
        }
        guard !mayEnter.0 else { throw Self.closed }
        guard mayEnter.1 else { throw DiscoveryError(.limitExceeded, "\(self.configuration.maximumAnnouncements) contents at most can be announced") }
        let takenOver = self.mechanisms.map { mechanism in
            do { return try mechanism.announceInBackground(contents) } catch {
                self.logger.debug(
                    "not announced in the background", metadata: ["dig.discovery.source": "\(mechanism.source)", "dig.discovery.error": "\(error)"])
                return false
            }
        }
        let hasRoom = self.state.withLock { $0.schedule.announce(all: contents, isTakenOver: { takenOver[$0] }, now: .now) }
        guard hasRoom else { throw DiscoveryError(.limitExceeded, "\(self.configuration.maximumAnnouncements) contents at most can be announced") }
        self.advance { _ in }
        self.wake.yield()
    }

    /// Says by all mechanisms that this node has the content no longer. From now on it is not announced again, whatever comes of that.
    ///
    /// - Returns: What has become of it, by mechanism, when each has had its try. Those that could tell nobody are tried again, while ``run()`` runs and
    ///   others may believe what was announced.
    /// - Throws: ``DiscoveryError`` `.limitExceeded` for content that was not announced, `.closed`; `CancellationError`.
    @discardableResult
    public func withdraw(_ key: RendezvousKey) async throws -> AnnouncementReport {
        try await self.report(of: key, isWithdrawal: true) { $0.withdraw(key, now: .now) }
    }

    /// Withdraws everything, for a node that goes and does not come back soon.
    public func withdrawAll() async {
        let keys = self.state.withLock { $0.schedule.announcedKeys }
        await withDiscardingTaskGroup { group in
            for key in keys {
                group.addTask {
                    do { try await self.withdraw(key) } catch {
                        self.logger.debug("not withdrawn", metadata: ["dig.discovery.error": "\(error)"])
                    }
                }
            }
        }
    }

    /// Tries now what nobody took: the network has come up, or the first peer.
    ///
    /// - Parameter everything: Announces everything anew, because this node has other addresses now.
    public func announceAgain(everything: Bool = false) {
        self.state.withLock { state in
            // Soon, if that has just been done.
            let now = ContinuousClock.now
            let at = state.announcedAgainAt.map { $0 > now ? $0 : max(now, $0 + Self.announceAgainInterval) } ?? now
            state.announcedAgainAt = at
            state.schedule.announceAgain(everything: everything, at: at)
        }
        self.wake.yield()
    }

    /// What is announced, in no order.
    public var announcements: [AnnouncementReport] { self.state.withLock { $0.schedule.reports } }

    /// What has become of one announcement; nil for what is neither announced nor being withdrawn.
    public func announcement(of key: RendezvousKey) -> AnnouncementReport? { self.state.withLock { $0.schedule.report(key) } }

    private func report(
        of key: RendezvousKey, isWithdrawal: Bool, _ input: @escaping @Sendable (inout AnnouncementSchedule) -> UInt64?
    ) async throws -> AnnouncementReport {
        let id = self.state.withLock { state in
            defer { state.nextWaiter += 1 }
            return state.nextWaiter
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                var refused: [(CheckedContinuation<AnnouncementReport, any Error>, any Error)] = []
                self.advance { state in
                    guard !state.isClosed else { return refused.append((continuation, Self.closed)) }
                    guard let round = input(&state.schedule) else {
                        return refused.append(
                            (continuation, DiscoveryError(.limitExceeded, "\(self.configuration.maximumAnnouncements) contents at most can be announced")))
                    }
                    if isWithdrawal {
                        for (other, waiter) in state.waiters[key] ?? [:] where !waiter.isWithdrawal {
                            state.waiters[key]?[other] = nil
                            refused.append((waiter.continuation, DiscoveryError(.withdrawn, "withdrawn while it was announced")))
                        }
                    }
                    guard !Task.isCancelled else { return refused.append((continuation, CancellationError())) }
                    state.waiters[key, default: [:]][id] = Waiter(round: round, isWithdrawal: isWithdrawal, continuation: continuation)
                }
                for (waiter, error) in refused { waiter.resume(throwing: error) }
                self.wake.yield()
            }
        } onCancel: {
            let waiter = self.state.withLock { state in
                let waiter = state.waiters[key]?.removeValue(forKey: id)
                if state.waiters[key]?.isEmpty == true { state.waiters[key] = nil }
                return waiter
            }
            waiter?.continuation.resume(throwing: CancellationError())
        }
    }

    // MARK: Jobs

    /// Computes under the lock; everything that may call back is done after.
    private func advance(_ input: (inout State) -> Void) {
        var told: [(CheckedContinuation<AnnouncementReport, any Error>, AnnouncementReport)] = []
        var cancelled: [Task<Void, Never>] = []
        self.state.withLock { state in
            input(&state)
            guard !state.isClosed else { return }
            let now = ContinuousClock.now
            var generator = SystemRandomNumberGenerator()
            while let output = state.schedule.poll(now: now, using: &generator) {
                switch output {
                case .start(let job):
                    // Owned by `jobs`; close() cancels it.
                    state.jobs[job.number] = Task { await self.perform(job) }
                case .cancel(let job):
                    if let task = state.jobs[job.number] { cancelled.append(task) }
                case .completed(let report, let round):
                    for (id, waiter) in state.waiters[report.content.key] ?? [:] where waiter.round <= round {
                        state.waiters[report.content.key]?[id] = nil
                        told.append((waiter.continuation, report))
                    }
                    if state.waiters[report.content.key]?.isEmpty == true { state.waiters[report.content.key] = nil }
                }
            }
        }
        for task in cancelled { task.cancel() }
        for (waiter, report) in told { waiter.resume(returning: report) }
    }

    private func perform(_ job: AnnouncementSchedule.Job) async {
        let mechanism = self.mechanisms[job.mechanism]
        let start = ContinuousClock.now
        let outcome: AnnouncementReport.Outcome
        do {
            outcome = try await TimeLimit.run(self.configuration.announcementTimeout) {
                if job.isWithdrawal {
                    try await mechanism.withdraw(job.content.key)
                    return .withdrawn
                }
                return .taken(by: max(0, try await mechanism.announce(job.content)))
            } returned: { [weak self] in
                self?.state.withLock { $0.schedule.returned(job) }
                self?.wake.yield()
            }
        } catch let error as DiscoveryError where error.code == .timedOut {
            outcome = .timedOut
        } catch is CancellationError {
            // Something else is to be said about the content, or this is the end. Somebody may have heard it.
            outcome = .timedOut
        } catch {
            outcome = .failed("\(error)")
            self.logger.debug(
                "not announced",
                metadata: [
                    "dig.discovery.source": "\(mechanism.source)", "dig.discovery.is_withdrawal": "\(job.isWithdrawal)", "dig.discovery.error": "\(error)",
                ])
        }
        let now = ContinuousClock.now
        self.advance { state in
            state.jobs[job.number] = nil
            Self.count(outcome, of: job, in: &state.statistics[mechanism.source, default: .init()])
            var generator = SystemRandomNumberGenerator()
            state.schedule.finished(job, outcome: outcome, duration: now - start, now: now, using: &generator)
        }
        self.wake.yield()
    }

    private static func count(
        _ outcome: AnnouncementReport.Outcome, of job: AnnouncementSchedule.Job, in mechanism: inout DiscoveryStatistics.Mechanism
    ) {
        switch outcome {
        case .taken(let count) where count > 0: mechanism.announcements += 1
        case .withdrawn: mechanism.withdrawals += 1
        default:
            if job.isWithdrawal { mechanism.failedWithdrawals += 1 } else { mechanism.failedAnnouncements += 1 }
        }
    }
}
