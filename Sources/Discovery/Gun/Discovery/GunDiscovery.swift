public import DIGAnnouncement
public import DIGIdentity
public import DIGMultiformats
import DIGNet
public import Logging
public import ServiceLifecycle
import Synchronization

/// Announces content in the GUN graph, and finds who has announced it.
///
/// The ``GunPeer`` has to have the guards of ``GunDiscoveryConfiguration/namespace``: they are what makes an announcement worth believing here.
/// Elsewhere anybody can overwrite it, and this service puts it right again.
public final class GunDiscovery: Service {
    private struct Own: Hashable {
        var port: UInt16?
        var contentID: String?
        var announcedAt: ContinuousClock.Instant?
    }

    private struct State {
        var isRunning = false
        var announcements: [RendezvousKey: Own] = [:]
        /// When each was put right after a forgery, so that an argument does not become a flood.
        var repairedAt: [RendezvousKey: ContinuousClock.Instant] = [:]
    }

    /// Ours: an announcement that is overwritten elsewhere is made again so often at most.
    private static let repairInterval: Duration = .seconds(5)
    private static let repairTableCount = 1_024

    private let peer: GunPeer
    private let identity: KeyPair
    private let addresses: @Sendable () -> [Multiaddr]
    private let configuration: GunDiscoveryConfiguration
    private let logger: Logger
    private let state = Mutex(State())
    private let heard = EventBroadcast<SignedEnvelope>(bufferCount: 1_000)

    /// - Parameters:
    ///   - peer: Runs on its own.
    ///   - addresses: Where this node can be reached. Asked for each announcement.
    public init(
        peer: GunPeer, identity: KeyPair, addresses: @escaping @Sendable () -> [Multiaddr], configuration: GunDiscoveryConfiguration = .init(),
        logger: Logger
    ) {
        self.peer = peer
        self.identity = identity
        self.addresses = addresses
        self.configuration = configuration
        self.logger = logger
    }

    /// What is announced, by what others look for.
    public var announcements: [RendezvousKey: String?] { self.state.withLock { $0.announcements.mapValues(\.contentID) } }

    /// Announcements and withdrawals of others that lookups find, as they were signed, from now on; a slow reader misses the oldest.
    public var announcementsHeard: AsyncStream<SignedEnvelope> { self.heard.subscribe() }

    /// Keeps announcements alive until cancelled or shut down gracefully. They stay in the graph until they expire.
    ///
    /// - Throws: ``GunError`` `.alreadyRunning`.
    public func run() async throws {
        let isFirst = self.state.withLock { state in
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard isFirst else { throw GunError(.alreadyRunning, "this discovery is running already") }
        defer {
            self.state.withLock { $0.isRunning = false }
            self.heard.finish()
        }
        let events = self.peer.eventStream
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.keepAnnouncing() }
            group.addTask {
                for await event in events {
                    if case .forgery(let soul, let key, let state) = event { await self.repair(soul, key, state) }
                }
            }
            // It throws when the task is cancelled, which ends this as well.
            do { try await gracefulShutdown() } catch {}
            group.cancelAll()
        }
    }

    /// Says that this peer has the content, and says it again until ``withdraw(_:)``.
    ///
    /// - Returns: Whether a relay has acknowledged it within `wait`. If not, it will be sent to the next relay that is connected.
    /// - Throws: ``GunError`` `.tooLong`, also for one announcement too many, `AnnouncementError`, or `IdentityError`.
    @discardableResult
    public func announce(
        _ content: RendezvousKey, port: UInt16? = nil, contentID: String? = nil, waitingForAcknowledgement wait: Duration? = nil
    ) async throws -> Bool {
        try self.state.withLock { state in
            guard state.announcements[content] != nil || state.announcements.count < self.configuration.announcementCount else {
                throw GunError(.tooLong, "\(self.configuration.announcementCount) announcements are made already")
            }
            state.announcements[content] = Own(port: port, contentID: contentID, announcedAt: .now)
        }
        do { return try await self.put(content, port, contentID, isAvailable: true, wait) } catch {
            self.state.withLock { _ = $0.announcements.removeValue(forKey: content) }
            throw error
        }
    }

    /// Says that this peer has the content no longer.
    ///
    /// - Returns: As ``announce(_:port:contentID:waitingForAcknowledgement:)``.
    @discardableResult
    public func withdraw(_ content: RendezvousKey, waitingForAcknowledgement wait: Duration? = nil) async throws -> Bool {
        guard let own = self.state.withLock({ $0.announcements.removeValue(forKey: content) }) else { return false }
        return try await self.put(content, own.port, own.contentID, isAvailable: false, wait)
    }

    /// Those who say they have the content: who is known at once, then who is found, each once and again when it changes.
    ///
    /// Ends when every relay has answered and nothing more comes, or after ``GunDiscoveryConfiguration/lookupTimeout``.
    public func findPeers(_ content: RendezvousKey) -> AsyncStream<ContentAnnouncement> {
        self.lookup(self.configuration.namespace.content(content))
    }

    /// Those who say they have content of that name, each with what it gives the name to: the caller decides whom to believe.
    public func findBindings(of contentID: String) -> AsyncStream<ContentAnnouncement> {
        self.lookup(self.configuration.namespace.names(contentID))
    }

    private func lookup(_ soul: String) -> AsyncStream<ContentAnnouncement> {
        let (stream, continuation) = AsyncStream.makeStream(of: ContentAnnouncement.self, bufferingPolicy: .bufferingOldest(self.configuration.hostCount))
        let reporter = LookupReporter(limit: self.configuration.hostCount, ourselves: self.identity.peerID, continuation: continuation) { [heard] in heard.emit($0) }
        let nodes = self.peer.on(soul, asking: false)
        if let node = self.peer.known(soul) { reporter.report(node, now: UnixClock.milliseconds) }
        let asking = Task { [configuration, peer] in
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    for await node in nodes { reporter.report(node, now: UnixClock.milliseconds) }
                }
                group.addTask {
                    await peer.ask(GunQuery(soul: soul), timeout: configuration.lookupTimeout, settling: configuration.lookupSettling)
                }
                // The question is over, whatever became of it; or the caller has heard enough.
                await group.next()
                group.cancelAll()
            }
            if let node = peer.known(soul) { reporter.report(node, now: UnixClock.milliseconds) }
            continuation.finish()
        }
        continuation.onTermination = { _ in asking.cancel() }
        return stream
    }

    // MARK: Announcing

    private func put(
        _ content: RendezvousKey, _ port: UInt16?, _ contentID: String?, isAvailable: Bool, _ wait: Duration?, after state: Double = 0
    ) async throws -> Bool {
        let namespace = self.configuration.namespace
        let soul = namespace.content(content)
        let key = ExactText("\(self.identity.peerID)")
        // Newer than what is known, should the clock have been set back.
        let last = self.peer.known(soul)?.entries[key]?.state ?? 0
        let timestamp = max(UnixClock.milliseconds.rounded(.down), last.rounded(.down) + 1, state.rounded(.down) + 1)
        let announcement = ContentAnnouncement(
            peer: self.identity.peerID, key: content, port: port, contentID: contentID, isAvailable: isAvailable,
            addresses: isAvailable ? self.addresses() : [], timestampMilliseconds: UInt64(max(0, min(timestamp, 9e15))),
            lifetime: self.configuration.announcementLifetime)
        let value = GunValue.text(try GunAnnouncementText.encode(announcement, signedWith: self.identity))
        if let contentID { try await self.peer.put([key.string: value], to: namespace.names(contentID), state: timestamp) }
        return try await self.peer.put([key.string: value], to: soul, state: timestamp, waitingForAcknowledgement: wait)
    }

    private func keepAnnouncing() async {
        if self.configuration.isPersistenceEnabled { self.takeUp() }
        while !Task.isCancelled {
            let now = ContinuousClock.now
            let interval = self.configuration.reannounceInterval
            let due = self.state.withLock { state in
                state.announcements.filter { $0.value.announcedAt.map { now - $0 >= interval } ?? true }
            }
            for (content, own) in due {
                guard !Task.isCancelled else { return }
                let isStill = self.state.withLock { state in
                    guard state.announcements[content] != nil else { return false }
                    state.announcements[content]?.announcedAt = .now
                    return true
                }
                guard isStill else { continue }
                do {
                    _ = try await self.put(content, own.port, own.contentID, isAvailable: true, nil)
                    try await Task.sleep(for: .seconds(1 / max(self.configuration.announcementRate, 0.01)))
                } catch is CancellationError {
                    return
                } catch {
                    self.logger.debug("an announcement failed", metadata: ["dig.gun.error": "\(error)"])
                }
            }
            let next = self.state.withLock { $0.announcements.values.compactMap(\.announcedAt).min() }
            let wait = next.map { ContinuousClock.now.duration(to: $0 + interval) } ?? interval
            // Those announced meanwhile are due later than every other.
            do { try await Task.sleep(for: min(max(wait, .milliseconds(100)), .seconds(60))) } catch { return }
            self.tidy()
        }
    }

    /// Announcements of the run before.
    private func takeUp() {
        let key = ExactText("\(self.identity.peerID)")
        let now = UnixClock.milliseconds
        for node in self.peer.ownNodes(prefix: "\(self.configuration.namespace.name)/content/") {
            guard let entry = node.entries[key], let announcement = GunNamespace.announcement(key, entry, now), announcement.isAvailable else { continue }
            self.state.withLock { state in
                guard state.announcements[announcement.key] == nil, state.announcements.count < self.configuration.announcementCount else { return }
                state.announcements[announcement.key] = Own(port: announcement.port, contentID: announcement.contentID)
            }
        }
    }

    /// Own nodes whose announcement is over may be forgotten as others are.
    private func tidy() {
        let key = ExactText("\(self.identity.peerID)")
        let now = UnixClock.milliseconds
        for part in ["content", "names"] {
            for node in self.peer.ownNodes(prefix: "\(self.configuration.namespace.name)/\(part)/") {
                guard let entry = node.entries[key], GunNamespace.announcement(key, entry, now) == nil else { continue }
                self.peer.release(node.soul)
            }
        }
    }

    /// Somebody has overwritten an announcement of ours elsewhere: a newer one takes its place.
    private func repair(_ soul: ExactText, _ key: ExactText, _ state: Double) async {
        guard key == ExactText("\(self.identity.peerID)"), soul.hasPrefix("\(self.configuration.namespace.name)/content/") else { return }
        // Further ahead no peer takes a state, and none shows it.
        guard state < UnixClock.milliseconds + ContentAnnouncement.maximumClockSkew / .milliseconds(1) else { return }
        let bytes: [UInt8]
        do { bytes = try Base16.decode(String(soul.string.suffix(2 * RendezvousKey.byteCount))) } catch { return }
        guard let content = RendezvousKey(bytes: bytes) else { return }
        let now = ContinuousClock.now
        let own: Own? = self.state.withLock { state in
            guard let own = state.announcements[content] else { return nil }
            if let last = state.repairedAt[content], now - last < Self.repairInterval { return nil }
            if state.repairedAt.count >= Self.repairTableCount { state.repairedAt = state.repairedAt.filter { now - $0.value < Self.repairInterval } }
            guard state.repairedAt.count < Self.repairTableCount else { return nil }
            state.repairedAt[content] = now
            return own
        }
        guard let own else { return }
        do { _ = try await self.put(content, own.port, own.contentID, isAvailable: true, nil, after: state) } catch {
            self.logger.debug("an announcement can't be put right", metadata: ["dig.gun.error": "\(error)"])
        }
    }
}
