import DIGAnnouncement
public import DIGContent
public import DIGIdentity
public import DIGMultiformats
import DIGNet
public import Logging
public import ServiceLifecycle
import Synchronization

/// Knows who really has a content: takes announcements and reports that are signed, asks holders for proofs, and remembers how peers have behaved.
///
/// ```swift
/// let availability = ContentAvailabilityManager(identity: identity, prover: prover, announcer: announcer, reports: transport, logger: logger)
/// // in a service group: availability.run()
/// try await availability.announceContentAvailable(hash, port: 4001)
/// for await change in availability.events { … }
/// let peers = availability.filterPeersByContentStatus(found, for: hash)
/// ```
///
/// Nothing unsigned is believed: an announcement or a report is checked before it is looked at, and one that is refused changes nothing. Hints without a
/// signature, such as those of a DHT, go in by ``claimed(by:content:)`` and are worth a question, no more.
///
/// Reading and taking works before ``run()``; asking, announcing again and keeping is done while it runs.
public final class ContentAvailabilityManager: Service, Sendable {
    private struct Announced {
        var port: UInt16?
        var contentID: String?
        /// When it is to be announced again, milliseconds since 1970.
        var nextAt: UInt64
    }

    private struct State {
        var table: AvailabilityTable
        var announced: [ContentHash: Announced] = [:]
        /// Not yet kept.
        var records: [AvailabilityContents.Record] = []
        var asking = 0
        var lastTimestamp: UInt64 = 0
        var savedAt: UInt64 = 0
        var timerAt = UInt64.max
        var hasRun = false
    }

    /// Ours: signed records that wait to be kept; further ones are only believed, not kept.
    private static let pendingRecordLimit = 10_000
    /// Ours: something is looked at once in this time even if nothing is due.
    private static let maximumSleep: Duration = .seconds(60)
    /// Ours: no more than so many events wait for a slow reader.
    private static let eventBufferCount = 1_024

    /// As it was made.
    public let configuration: AvailabilityConfiguration
    private let identity: KeyPair
    private let prover: any PossessionProver
    private let announcer: (any AvailabilityAnnouncer)?
    private let reports: (any ReportTransport)?
    private let store: any AvailabilityStore
    private let names: RecordNames
    private let addresses: @Sendable () -> [Multiaddr]
    private let clock: AvailabilityClock
    private let logger: Logger
    private let salt: UInt64
    private let state: Mutex<State>
    private let broadcast = EventBroadcast<AvailabilityChange>(bufferCount: ContentAvailabilityManager.eventBufferCount)
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    /// - Parameters:
    ///   - identity: Signs what this node says.
    ///   - announcer: `nil`: announcements of this node are made elsewhere.
    ///   - reports: `nil`: this node keeps to itself what it has met with.
    ///   - names: What texts in records of the seed's form stand for.
    ///   - addresses: Where this node can be reached, for its announcements.
    public init(
        identity: KeyPair, prover: any PossessionProver, announcer: (any AvailabilityAnnouncer)? = nil, reports: (any ReportTransport)? = nil,
        store: any AvailabilityStore = MemoryAvailabilityStore(), configuration: AvailabilityConfiguration = .init(), names: RecordNames = .init(),
        addresses: @escaping @Sendable () -> [Multiaddr] = { [] }, clock: AvailabilityClock = .system, logger: Logger
    ) {
        self.configuration = configuration
        self.identity = identity
        self.prover = prover
        self.announcer = announcer
        self.reports = reports
        self.store = store
        self.names = names
        self.addresses = addresses
        self.clock = clock
        self.logger = logger
        self.salt = UInt64.random(in: .min ... .max)
        self.state = Mutex(State(table: AvailabilityTable(configuration: configuration, seed: UInt64.random(in: .min ... .max))))
        (self.wakes, self.wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// What happens from now on; of a reader that is too slow the oldest are dropped.
    public var events: AsyncStream<AvailabilityChange> { self.broadcast.subscribe() }

    // MARK: What this node says

    /// Says that this node has the content, and says it again every ``AvailabilityConfiguration/reannounceInterval`` while ``run()`` runs.
    ///
    /// - Throws: What the announcer throws; it is tried again all the same.
    public func announceContentAvailable(_ content: ContentHash, port: UInt16? = nil, contentID: String? = nil) async throws {
        let isKept = self.announcer?.keepsAnnouncing ?? false
        let nextAt = isKept ? .max : self.clock.nowMilliseconds().adding(self.configuration.reannounceInterval.millisecondCount)
        self.state.withLock { $0.announced[content] = Announced(port: port, contentID: contentID, nextAt: nextAt) }
        self.wake.yield()
        try await self.announce(content, port: port, contentID: contentID, isAvailable: true)
    }

    /// Says that this node has it no longer.
    ///
    /// - Throws: What the announcer throws.
    public func announceContentUnavailable(_ content: ContentHash, contentID: String? = nil) async throws {
        let known = self.state.withLock { $0.announced.removeValue(forKey: content) }
        try await self.announce(content, port: known?.port, contentID: contentID ?? known?.contentID, isAvailable: false)
    }

    private func announce(_ content: ContentHash, port: UInt16?, contentID: String?, isAvailable: Bool) async throws {
        guard let announcer = self.announcer else { return }
        let range = AvailabilityConfiguration.lifetimeRange
        let announcement = ContentAnnouncement(
            peer: self.identity.peerID, key: RendezvousKey(content), port: port, contentID: contentID, isAvailable: isAvailable, addresses: self.addresses(),
            timestampMilliseconds: self.timestamp(), lifetime: min(max(self.configuration.contentLifetime, range.lowerBound), range.upperBound))
        try await announcer.announce(announcement, envelope: try announcement.signed(with: self.identity))
    }

    /// Tells others that a peer does not have what it claims to have, and believes it here: this node has met with it itself.
    ///
    /// - Returns: How many other nodes were told.
    /// - Throws: ``AvailabilityError`` `.aboutItself` or `.limitExceeded`, or what the transport throws.
    @discardableResult
    public func reportContentUnavailable(
        _ peer: PeerID, _ content: ContentHash, reason: AvailabilityReport.Reason = .notFound, detail: String? = nil
    ) async throws -> Int {
        guard peer != self.identity.peerID else { throw AvailabilityError.aboutItself }
        let report = AvailabilityReport(
            reporter: self.identity.peerID, reported: peer, content: content, reason: reason, detail: detail, timestampMilliseconds: self.timestamp())
        let envelope = try report.signed(with: self.identity)
        let experience: Experience =
            switch reason {
            case .notFound: .missing
            case .noProof: .disproved
            case .corruptData: .corrupt
            case .unreachable: .unreachable
            case .other: .failed
            }
        self.experienced(experience, of: peer, content: content)
        self.state.withLock { self.keep(report, .envelope(envelope), in: &$0) }
        return try await self.reports?.send(report, envelope: envelope) ?? 0
    }

    /// Rises with every record, also when the clock does not.
    private func timestamp() -> UInt64 {
        self.state.withLock { state in
            state.lastTimestamp = max(self.clock.nowMilliseconds(), state.lastTimestamp.adding(1))
            return state.lastTimestamp
        }
    }

    // MARK: What others say

    /// Checks and takes an announcement, or refuses it.
    ///
    /// - Throws: Any ``AvailabilityError``; `.replayed` for one that is known, by whatever way it came.
    public func received(announcement envelope: SignedEnvelope) throws(AvailabilityError) {
        if let refusal = try self.heard(announcement: envelope).refusal { throw refusal }
    }

    /// As ``received(announcement:)`` for who wants to read the announcement as well, also one that is not news: the signature is checked once.
    ///
    /// - Throws: Why it is not to be believed; nothing in it may be used then.
    package func heard(announcement envelope: SignedEnvelope) throws(AvailabilityError) -> HeardAnnouncement {
        let now = self.clock.nowMilliseconds()
        let announcement: ContentAnnouncement
        do throws(AnnouncementError) { announcement = try ContentAnnouncement(verifying: envelope, nowMilliseconds: now) } catch { throw AvailabilityError(error) }
        do throws(AvailabilityError) { try self.take(announcement, .envelope(envelope), now) } catch {
            return HeardAnnouncement(announcement: announcement, refusal: error)
        }
        return HeardAnnouncement(announcement: announcement, refusal: nil)
    }

    /// Checks and takes a report, or refuses it.
    ///
    /// - Returns: What the reports about the peer and the content amount to with it; `.none` for one about or by this node, which is left alone.
    /// - Throws: Any ``AvailabilityError``.
    @discardableResult
    public func received(report envelope: SignedEnvelope) throws(AvailabilityError) -> ReportLevel {
        let now = self.clock.nowMilliseconds()
        return try self.take(try AvailabilityReport(verifying: envelope, nowMilliseconds: now), .envelope(envelope), now)
    }

    /// Checks and takes a record in either form, or refuses it.
    ///
    /// - Throws: Any ``AvailabilityError``.
    public func received(_ form: SignedRecord.Form) throws(AvailabilityError) {
        switch form {
        case .envelope(let envelope) where envelope.payloadType == AvailabilityReport.payloadType: try self.received(report: envelope)
        case .envelope(let envelope): try self.received(announcement: envelope)
        case .json(let data): try self.received(data)
        }
    }

    /// Checks and takes an announcement or a report in the seed's form, or refuses it.
    ///
    /// - Throws: Any ``AvailabilityError``.
    public func received(json: [UInt8]) throws(AvailabilityError) {
        try self.received(try SignedData(json: json))
    }

    private func received(_ data: SignedData) throws(AvailabilityError) {
        let now = self.clock.nowMilliseconds()
        if data.isReport {
            try self.take(try data.report(names: self.names, nowMilliseconds: now), .json(data), now)
        } else {
            try self.take(try data.announcement(names: self.names, nowMilliseconds: now), .json(data), now)
        }
    }

    private func take(_ announcement: ContentAnnouncement, _ form: SignedRecord.Form, _ now: UInt64) throws(AvailabilityError) {
        // Our own comes back to us by others.
        guard announcement.peer != self.identity.peerID else { return }
        try self.update { (state) throws(AvailabilityError) in
            try state.table.announced(announcement, nowMilliseconds: now)
            guard let digest = SHA256Digest(bytes: announcement.key.bytes), state.records.count < Self.pendingRecordLimit else { return }
            state.records.append(
                .init(
                    holder: .init(peer: announcement.peer, content: ContentHash(digest: digest)), author: announcement.peer, isReport: false,
                    record: SignedRecord(form, receivedMilliseconds: now)))
        }
    }

    @discardableResult
    private func take(_ report: AvailabilityReport, _ form: SignedRecord.Form, _ now: UInt64) throws(AvailabilityError) -> ReportLevel {
        // About ourselves we know better, and what we have said comes back to us by others.
        guard report.reported != self.identity.peerID, report.reporter != self.identity.peerID else { return .none }
        return try self.update { (state) throws(AvailabilityError) in
            let level = try state.table.reported(report, nowMilliseconds: now)
            self.keep(report, form, in: &state)
            return level
        }
    }

    /// Whether this very report is the one that counts of its author. It was checked before.
    package func knows(_ envelope: SignedEnvelope) -> Bool {
        let now = self.clock.nowMilliseconds()
        do throws(AvailabilityError) {
            let report = try AvailabilityReport(verifying: envelope, nowMilliseconds: now)
            return self.state.withLock { state in
                let known = state.table.record(of: report.reported, for: report.content)?.reports.first { $0.reporter == report.reporter }
                return known?.timestampMilliseconds == report.timestampMilliseconds
            }
        } catch { return false }
    }

    private func keep(_ report: AvailabilityReport, _ form: SignedRecord.Form, in state: inout State) {
        guard state.records.count < Self.pendingRecordLimit else { return }
        state.records.append(
            .init(
                holder: .init(peer: report.reported, content: report.content), author: report.reporter, isReport: true,
                record: SignedRecord(form, receivedMilliseconds: self.clock.nowMilliseconds())))
    }

    /// Takes an unsigned hint that a peer has the content.
    ///
    /// - Throws: ``AvailabilityError`` `.quotaExceeded` or `.noRoom`.
    public func claimed(by peer: PeerID, content: ContentHash) throws(AvailabilityError) {
        guard peer != self.identity.peerID else { return }
        let now = self.clock.nowMilliseconds()
        try self.update { (state) throws(AvailabilityError) in try state.table.claimed(by: peer, content: content, nowMilliseconds: now) }
    }

    // MARK: What this node has met with

    /// Takes what this node has seen of a peer; with a content also as proof or disproof of its claim.
    public func experienced(_ experience: Experience, of peer: PeerID, content: ContentHash? = nil) {
        let now = self.clock.nowMilliseconds()
        self.update { $0.table.experienced(experience, of: peer, content: content, nowMilliseconds: now) }
    }

    /// The seed's form of ``experienced(_:of:content:)``.
    public func updatePeerReputation(_ peer: PeerID, success: Bool) {
        self.experienced(success ? .transferred(byteCount: 0, over: .zero) : .failed, of: peer)
    }

    // MARK: Whom to believe

    /// Whether the peer has the content, as far as is known; `.available` for one that nothing is known of.
    public func status(of peer: PeerID, for content: ContentHash) -> PeerContentStatus {
        let now = self.clock.nowMilliseconds()
        return self.state.withLock { $0.table.status(of: peer, for: content, nowMilliseconds: now) }
    }

    /// What is known of one peer's claim to have a content; nil if there is none.
    public func holder(_ peer: PeerID, of content: ContentHash) -> HolderState? {
        let now = self.clock.nowMilliseconds()
        return self.state.withLock { $0.table.state(of: peer, for: content, nowMilliseconds: now) }
    }

    /// Everybody who is said, or was said, to have the content, with the reasons for what is thought of them. Holders of it are verified for a while from now.
    public func holders(of content: ContentHash) -> [HolderState] {
        let now = self.clock.nowMilliseconds()
        return self.update { state in
            state.table.watch(content, nowMilliseconds: now)
            return state.table.holders(of: content, nowMilliseconds: now)
        }
    }

    /// Leaves out peers that do not have the content, and puts those that may not have it last; see ``HolderRanking``.
    public func filterPeersByContentStatus(_ peers: [PeerID], for content: ContentHash) -> [PeerID] {
        self.rank(peers.map { HolderCandidate($0) }, for: content).map(\.peer)
    }

    /// As ``filterPeersByContentStatus(_:for:)`` for peers of whom more is known. Status, reputation and proof of the candidates are replaced by what is
    /// known here.
    public func rank(_ candidates: [HolderCandidate], for content: ContentHash) -> [HolderCandidate] {
        let now = self.clock.nowMilliseconds()
        let known = self.update { state in
            state.table.watch(content, nowMilliseconds: now)
            return candidates.map { candidate in
                var candidate = candidate
                candidate.status = state.table.status(of: candidate.peer, for: content, nowMilliseconds: now)
                candidate.reputation = state.table.score(of: candidate.peer, nowMilliseconds: now)
                candidate.hasProven = state.table.hasProven(candidate.peer, content, nowMilliseconds: now)
                return candidate
            }
        }
        return HolderRanking.rank(known, salt: self.salt, isLiteral: self.configuration.rules.strictWhitepaper)
    }

    /// How the peer has behaved to this node; ``ReputationScore/unknown`` for one that it has not met.
    public func reputation(of peer: PeerID) -> ReputationScore {
        let now = self.clock.nowMilliseconds()
        return self.state.withLock { $0.table.score(of: peer, nowMilliseconds: now) }
    }

    /// The signed records about a content, or all, to be shown or checked elsewhere.
    ///
    /// - Throws: What the store throws.
    public func records(about content: ContentHash? = nil, limit: Int = SignedRecordArchive.maximumRecordCount) async throws -> [SignedRecord] {
        await self.save()
        return try await self.store.records(about: content, limit: limit)
    }

    // MARK: Running

    /// Asks, announces again and keeps, until it is cancelled or shut down. May be called once; later calls return at once.
    ///
    /// - Throws: What the store throws when what was kept can't be read; what was taken in meanwhile is kept all the same.
    public func run() async throws {
        let isFirst = self.state.withLock { state in
            defer { state.hasRun = true }
            return !state.hasRun
        }
        guard isFirst else { return }
        let contents: AvailabilityContents
        do { contents = try await self.store.load() } catch {
            // Ended before it began, as a rule: what was taken in meanwhile is kept all the same.
            await self.save()
            throw error
        }
        let now = self.clock.nowMilliseconds()
        self.state.withLock { $0.table.restore(contents.holders, reputations: contents.reputations, nowMilliseconds: now) }
        self.wake.yield()
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                for await _ in self.wakes {
                    self.askNext(in: &group)
                    await self.announceAgain()
                    await self.saveWhenDue()
                    self.setTimer(in: &group)
                }
                group.cancelAll()
            }
        }
        await self.save()
        self.broadcast.finish()
    }

    private func askNext(in group: inout DiscardingTaskGroup) {
        let now = self.clock.nowMilliseconds()
        let requests = self.update(wakes: false) { state in
            let requests = state.table.nextVerifications(limit: max(0, self.configuration.concurrentVerifications - state.asking), nowMilliseconds: now)
            state.asking += requests.count
            return requests
        }
        for request in requests {
            group.addTask {
                let outcome = await self.ask(request)
                self.logger.debug("asked for a proof", metadata: ["dig.availability.peer": "\(request.peer)", "dig.availability.outcome": "\(outcome)"])
                let now = self.clock.nowMilliseconds()
                self.update { state in
                    state.asking -= 1
                    state.table.verified(request, outcome: outcome, nowMilliseconds: now)
                }
            }
        }
    }

    private func ask(_ request: VerificationRequest) async -> VerificationOutcome {
        await withTaskGroup(of: VerificationOutcome.self) { group in
            group.addTask {
                do { return try await self.prover.proves(request.peer, has: request.content) ? .proved : .disproved } catch is CancellationError {
                    return .postponed
                } catch { return .unanswered }
            }
            group.addTask {
                do { try await self.clock.sleep(self.configuration.verificationTimeout) } catch { return .postponed }
                return .unanswered
            }
            let first = await group.next() ?? .postponed
            group.cancelAll()
            return first
        }
    }

    private func announceAgain() async {
        let now = self.clock.nowMilliseconds()
        let due = self.state.withLock { state in
            let due = state.announced.filter { $0.value.nextAt <= now }
            for content in due.keys { state.announced[content]?.nextAt = now.adding(self.configuration.reannounceInterval.millisecondCount) }
            return due
        }
        for (content, announced) in due {
            do {
                try await self.announce(content, port: announced.port, contentID: announced.contentID, isAvailable: true)
            } catch {
                self.logger.debug("could not announce again", metadata: ["dig.availability.content": "\(content)", "dig.availability.error": "\(error)"])
            }
        }
    }

    /// Wakes the loop when something is due. Timers that were set for later stay; they do no harm.
    private func setTimer(in group: inout DiscardingTaskGroup) {
        let now = self.clock.nowMilliseconds()
        let delay: UInt64? = self.state.withLock { state in
            let latest = now.adding(Self.maximumSleep.millisecondCount)
            // While as many are asked as may be, whatever is due waits for an answer.
            let isFull = state.asking >= self.configuration.concurrentVerifications
            let isUnsaved = state.table.isTouched || !state.records.isEmpty
            let save = isUnsaved ? state.savedAt.adding(self.configuration.saveInterval.millisecondCount) : latest
            let next = min(isFull ? latest : state.table.nextDeadline ?? latest, state.announced.values.map(\.nextAt).min() ?? latest, save, latest)
            guard state.timerAt <= now || next < state.timerAt else { return nil }
            state.timerAt = max(next, now + 1)
            return state.timerAt - now
        }
        guard let delay else { return }
        group.addTask {
            do { try await self.clock.sleep(.milliseconds(Int64(clamping: delay))) } catch { return }
            self.wake.yield()
        }
    }

    private func saveWhenDue() async {
        let now = self.clock.nowMilliseconds()
        let isDue = self.state.withLock { state in
            // Also when the clock was set back.
            guard now < state.savedAt || now - state.savedAt >= self.configuration.saveInterval.millisecondCount else { return false }
            state.savedAt = now
            return true
        }
        if isDue { await self.save() }
    }

    /// Keeps what has changed.
    private func save() async {
        let changes: AvailabilityContents.Changes = self.state.withLock { state in
            var changes = AvailabilityContents.Changes()
            for touched in state.table.takeTouched() {
                if let record = touched.record {
                    changes.holders.append(HolderSnapshot(peer: touched.peer, content: touched.content, record: record))
                } else {
                    changes.forgotten.append(.init(peer: touched.peer, content: touched.content))
                }
            }
            for touched in state.table.takeTouchedPeers() { changes.reputations[touched.peer] = touched.reputation }
            swap(&changes.records, &state.records)
            return changes
        }
        guard !changes.isEmpty else { return }
        do { try await self.store.save(changes) } catch {
            self.logger.warning("what is known of holders could not be kept", metadata: ["dig.availability.error": "\(error)"])
        }
    }

    /// Changes the state and tells what has happened.
    private func update<Result: Sendable, Failure: Error>(wakes: Bool = true, _ body: (inout State) throws(Failure) -> Result) throws(Failure) -> Result {
        let (result, changes) = try self.state.withLock { (state) throws(Failure) -> (Result, [AvailabilityChange]) in
            let result = try body(&state)
            return (result, state.table.takeChanges())
        }
        for change in changes { self.broadcast.emit(change) }
        if wakes { self.wake.yield() }
        return result
    }
}
