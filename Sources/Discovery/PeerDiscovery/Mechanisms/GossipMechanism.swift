public import DIGAnnouncement
public import DIGGossipSub
public import DIGIdentity
public import DIGMultiformats
import DIGNet
public import Logging
public import ServiceLifecycle
import Synchronization

/// Signed announcements that everybody who cares passes on to everybody else, and what else is signed about them: reports.
///
/// While ``run()`` runs this node remembers what it hears, and answers from that. A node that comes later hears of a content when it is announced
/// again.
public final class GossipMechanism: DiscoveryMechanism, Service {
    /// Each message is an encoded envelope, published by the peer that has signed it: of a `ContentAnnouncement`, or of another type that
    /// ``judgeOthers(_:)`` knows.
    public static let topic = "dig-content-availability"

    /// What has come of the messages of others.
    public struct Statistics: Hashable, Sendable {
        /// Remembered and passed on.
        public var accepted: UInt64 = 0
        /// Known, over, or more than there is room for.
        public var ignored: UInt64 = 0
        /// Not an announcement of whoever published it.
        public var rejected: UInt64 = 0
        /// Announcements and withdrawals that are remembered.
        public var count = 0

        public init() {}
    }

    private typealias Reader = AsyncThrowingStream<FoundHolder, any Error>.Continuation

    private struct State {
        var table: AnnouncementTable
        var readers: [RendezvousKey: [UInt64: Reader]] = [:]
        var nextReader: UInt64 = 0
        var isRunning = false
        var judge: (@Sendable (SignedEnvelope) -> GossipVerdict)?
        var statistics = Statistics()
    }

    private static let bufferCount = 1_000
    private static let expiryInterval: Duration = .seconds(60)

    public var source: DiscoverySource { .gossip }
    public var isListening: Bool { true }

    private let gossip: GossipSub
    private let signer: AnnouncementSigner
    private let logger: Logger
    private let state: Mutex<State>
    private let broadcast = EventBroadcast<SignedEnvelope>(bufferCount: GossipMechanism.bufferCount)

    /// - Parameters:
    ///   - gossip: Runs on its own.
    ///   - identity: The one of `gossip`.
    ///   - addresses: Where this node can be reached; asked for each announcement.
    ///   - lifetime: How long others may believe an announcement.
    ///   - limits: Of what is remembered; nil: 20,000 announcements, 1,000 of them of one peer and 500 for one key. Each may have 6 KiB and has half
    ///     of one, usually.
    public init(
        _ gossip: GossipSub, identity: KeyPair, addresses: @escaping @Sendable () -> [Multiaddr], lifetime: Duration = .seconds(3_600),
        limits: AnnouncementTable.Limits? = nil, logger: Logger
    ) {
        var standard = AnnouncementTable.Limits()
        standard.count = 20_000
        standard.countPerPeer = 1_000
        standard.countPerKey = 500
        self.gossip = gossip
        self.signer = AnnouncementSigner(identity: identity, addresses: addresses, lifetime: lifetime)
        self.logger = logger
        self.state = Mutex(State(table: AnnouncementTable(limits: limits ?? standard)))
    }

    public var statistics: Statistics {
        self.state.withLock { state in
            var statistics = state.statistics
            statistics.count = state.table.count
            return statistics
        }
    }

    /// What is remembered and passed on, from now on.
    public var heard: AsyncStream<SignedEnvelope> { self.broadcast.subscribe() }

    /// Says what becomes of messages of another type; whoever publishes them has signed the envelope. Before, they are ignored.
    public func judgeOthers(_ judge: @escaping @Sendable (SignedEnvelope) -> GossipVerdict) { self.state.withLock { $0.judge = judge } }

    /// Tells everybody who listens to announcements something else that this node has signed.
    ///
    /// - Returns: The peers it was sent to.
    /// - Throws: `GossipSubError`.
    public func publish(_ envelope: SignedEnvelope) throws -> Int { try self.gossip.publish(envelope.encoded, to: Self.topic) }

    // MARK: Listening

    /// Listens to what others announce until cancelled or shut down gracefully.
    ///
    /// - Throws: `GossipSubError` `.alreadySubscribed` if it is running already, `.limitExceeded`.
    public func run() async throws {
        let messages = try self.gossip.subscribe(Self.topic) { [weak self] message in self?.judge(message) ?? .ignore }
        self.state.withLock { $0.isRunning = true }
        await withTaskGroup(of: Void.self) { group in
            // What they say was heard when they were judged.
            group.addTask { for await _ in messages {} }
            group.addTask { await self.keepForgetting() }
            // It throws when the task is cancelled, which ends this as well.
            do { try await gracefulShutdown() } catch {}
            group.cancelAll()
        }
        self.gossip.unsubscribe(Self.topic)
        let readers = self.state.withLock { state in
            state.isRunning = false
            defer { state.readers = [:] }
            return state.readers.values.flatMap(\.values)
        }
        for reader in readers { reader.finish() }
    }

    private func keepForgetting() async {
        while !Task.isCancelled {
            do { try await Task.sleep(for: Self.expiryInterval) } catch { return }
            self.state.withLock { $0.table.expire(nowMilliseconds: WallClock.nowMilliseconds) }
        }
    }

    /// What is worth passing on: an announcement by its publisher that says something new.
    func judge(_ message: GossipMessage) -> GossipVerdict { self.judge(message.data, publisher: message.publisher) }

    func judge(_ data: [UInt8], publisher: PeerID) -> GossipVerdict {
        let now = WallClock.nowMilliseconds
        let (announcement, envelope): (ContentAnnouncement, SignedEnvelope)
        do {
            guard data.count <= ContentAnnouncement.maximumByteCount else { throw AnnouncementError.limitExceeded }
            envelope = try SignedEnvelope(decoding: data)
            if envelope.payloadType != ContentAnnouncement.payloadType { return self.judgeOther(envelope, publisher: publisher) }
            announcement = try ContentAnnouncement(verifying: envelope, nowMilliseconds: now)
            // What another has announced may be old, and brought up again to no good end.
            guard announcement.peer == publisher else { throw AnnouncementError.wrongPeer }
        } catch AnnouncementError.expired, AnnouncementError.fromTheFuture {
            // Clocks differ, and messages take their time.
            self.state.withLock { $0.statistics.ignored += 1 }
            return .ignore
        } catch {
            self.state.withLock { $0.statistics.rejected += 1 }
            return .reject
        }
        let (verdict, readers): (AnnouncementTable.Verdict, [Reader]) = self.state.withLock { state in
            let verdict = state.table.add(announcement, envelope: envelope, nowMilliseconds: now)
            guard verdict == .taken else {
                state.statistics.ignored += 1
                return (verdict, [])
            }
            state.statistics.accepted += 1
            return (verdict, announcement.isAvailable ? state.readers[announcement.key].map { Array($0.values) } ?? [] : [])
        }
        for reader in readers { reader.yield(Self.holder(announcement)) }
        if verdict == .taken { self.broadcast.emit(envelope) }
        return verdict == .taken ? .accept : .ignore
    }

    private func judgeOther(_ envelope: SignedEnvelope, publisher: PeerID) -> GossipVerdict {
        let judge = self.state.withLock { $0.judge }
        // Something of a later version may be of use to others; what says nothing of itself is not.
        let isSomething = !envelope.payloadType.isEmpty && !envelope.signature.isEmpty && publisher.matches(envelope.publicKey)
        let verdict = isSomething ? judge?(envelope) ?? .ignore : .reject
        self.state.withLock { state in
            switch verdict {
            case .accept: state.statistics.accepted += 1
            case .ignore: state.statistics.ignored += 1
            case .reject: state.statistics.rejected += 1
            }
        }
        return verdict
    }

    private static func holder(_ announcement: ContentAnnouncement) -> FoundHolder {
        FoundHolder(announcement.peer, addresses: announcement.addresses, isSigned: true)
    }

    // MARK: Mechanism

    public func findHolders(of key: RendezvousKey) -> AsyncThrowingStream<FoundHolder, any Error> {
        let (stream, continuation) = AsyncThrowingStream.makeStream(of: FoundHolder.self, bufferingPolicy: .bufferingOldest(Self.bufferCount))
        let added: (reader: UInt64, known: [AnnouncementTable.Entry])? = self.state.withLock { state in
            guard state.isRunning else { return nil }
            let reader = state.nextReader
            state.nextReader += 1
            state.readers[key, default: [:]][reader] = continuation
            return (reader, state.table.holders(of: key, nowMilliseconds: WallClock.nowMilliseconds))
        }
        guard let added else {
            continuation.finish(throwing: DiscoveryError(.unreachable, "nobody listens to announcements by gossip"))
            return stream
        }
        continuation.onTermination = { [weak self] _ in
            // Later: a task that is being cancelled is locked by the runtime while it calls this.
            Task { [weak self] in self?.remove(added.reader, of: key) }
        }
        for entry in added.known { continuation.yield(Self.holder(entry.announcement)) }
        return stream
    }

    private func remove(_ reader: UInt64, of key: RendezvousKey) {
        self.state.withLock { state in
            state.readers[key]?[reader] = nil
            if state.readers[key]?.isEmpty == true { state.readers[key] = nil }
        }
    }

    /// - Returns: The peers it was sent to.
    public func announce(_ content: AnnouncedContent) async throws -> Int {
        try self.gossip.publish(self.signer.announcement(of: content).encoded, to: Self.topic)
    }

    public func withdraw(_ key: RendezvousKey) async throws {
        guard try self.gossip.publish(self.signer.withdrawal(of: key).encoded, to: Self.topic) > 0 else {
            throw DiscoveryError(.unreachable, "no peer listens to announcements by gossip")
        }
    }
}
