public import DIGAnnouncement
public import DIGIdentity
public import DIGMultiformats
public import DIGNet
public import Logging
import NIOCore
public import ServiceLifecycle
import Synchronization

/// Tells connected peers of each other, so that a network forms without a centre, and of who has what.
///
/// Tell it about peers with ``identified(_:protocols:record:addresses:)`` and ``disconnected(_:)``. Whatever is put in before ``run()`` is told to
/// others while that runs.
public final class PeerExchange: Service {
    /// The name of the protocol. One request and its response on each stream, both protobuf of at most 256 KiB behind their length.
    public static let protocolID: ProtocolID = "/dig/pex/1.0.0"

    private struct State {
        var hasRun = false
        var isRunning = false
        var searchCount = 0
    }

    public let localPeer: PeerID
    let dialer: any PeerDialer
    private let router: any StreamRouter
    let configuration: PeerExchangeConfiguration
    private let ownRecord: @Sendable () -> SignedEnvelope?
    let logger: Logger
    let responder: PeerExchangeResponder
    private let broadcast: EventBroadcast<PeerExchangeEvent>
    private let heard = EventBroadcast<SignedEnvelope>(bufferCount: 1_000)
    /// Peers have come or gone.
    private let changes = EventBroadcast<Void>(bufferCount: 1)
    private let created = ContinuousClock.now
    private let expectsNobody = Atomic(false)
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let inbound: InboundStreams
    private let state = Mutex(State())

    /// - Parameters:
    ///   - dialer: Knows the connections; connects to peers that this service learns of.
    ///   - router: Where requests come in.
    ///   - ownRecord: This node's peer record, to be passed on by others; asked often, so it must not block. Nil: none yet.
    public init(
        dialer: any PeerDialer, router: any StreamRouter, identity: KeyPair, configuration: PeerExchangeConfiguration = .init(),
        ownRecord: @escaping @Sendable () -> SignedEnvelope?, logger: Logger
    ) {
        let configuration = configuration.checked
        self.localPeer = identity.peerID
        self.dialer = dialer
        self.router = router
        self.configuration = configuration
        self.ownRecord = ownRecord
        self.logger = logger
        self.responder = PeerExchangeResponder(localPeer: identity.peerID, configuration: configuration)
        self.broadcast = EventBroadcast(bufferCount: configuration.eventBufferCount)
        self.inbound = InboundStreams(
            maximumCount: configuration.maximumInboundStreams, maximumCountPerPeer: configuration.maximumInboundStreamsPerPeer)
        (self.wakes, self.wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    // MARK: Peers

    /// A connected peer has said who it is. Call it each time.
    ///
    /// - Parameters:
    ///   - record: Its own peer record, as in identify. Without one, it is not passed on to others until it gives one. One that it did not sign is ignored.
    ///   - addresses: Where it says that it listens.
    public func identified(_ peer: PeerID, protocols: [ProtocolID], record: SignedEnvelope?, addresses: [Multiaddr]) {
        let speaks = protocols.contains(Self.protocolID)
        var signed: SignedPeerRecord?
        if speaks, let record {
            do throws(IdentityError) {
                let opened = try SignedPeerRecord(opening: record)
                if opened.peer == peer { signed = opened } else { self.count { $0.wrongPeerRecords += 1 } }
            } catch {
                self.count { $0.invalidRecords += 1 }
            }
        }
        self.update { $0.identified(peer, speaks: speaks, record: signed, addresses: addresses, now: .now) }
        self.changes.emit(())
    }

    /// The last connection to a peer is gone. It is passed on for a short while yet.
    public func disconnected(_ peer: PeerID) {
        self.update { $0.disconnected(peer, now: .now) }
    }

    /// Exchanges with the peer of `connection`, and asks it and all others for holders of `key` from now on (the seed's
    /// `addConnection(connection, infoHash)`). If it does not speak the protocol nothing comes of it.
    ///
    /// - Throws: ``PeerExchangeError`` with `.limitExceeded`.
    public func addConnection(_ connection: any Connection, for key: RendezvousKey) throws {
        try self.follow(key)
        let peer = connection.remotePeer
        guard peer != self.localPeer else { return }
        self.update { state in
            _ = state.link(to: peer, now: .now)
        }
    }

    /// The peers met and learned of, in no order.
    public var knownPeers: [PeerExchangePeer] { self.responder.state.withLock { $0.knownPeers } }

    /// What is found out from now on; a slow reader misses the oldest. Ends when ``run()`` does.
    public var events: AsyncStream<PeerExchangeEvent> { self.broadcast.subscribe() }

    /// Announcements and withdrawals of others that are news, as they were signed, from now on; a slow reader misses the oldest.
    public var announcementsHeard: AsyncStream<SignedEnvelope> { self.heard.subscribe() }

    public var statistics: PeerExchangeStatistics {
        var statistics = self.responder.state.withLock { $0.statistics }
        statistics.inboundStreamCount = self.inbound.count
        statistics.droppedEvents = self.broadcast.droppedCount
        return statistics
    }

    var isRunning: Bool { self.state.withLock { $0.isRunning } }

    // MARK: Announcing

    /// Tells connected peers, now and later, what this node has: a signed `ContentAnnouncement` of its own, or, with `isAvailable` false, that it no
    /// longer has it. Announce it again before it is over.
    ///
    /// - Returns: How many peers it is going to be sent to at once.
    /// - Throws: ``PeerExchangeError`` with `.invalidAnnouncement`, `.notOwn` or `.limitExceeded`.
    @discardableResult
    public func announce(_ announcement: SignedEnvelope) throws -> Int {
        let milliseconds = WallClock.nowMilliseconds
        let opened: ContentAnnouncement
        do throws(AnnouncementError) {
            opened = try ContentAnnouncement(verifying: announcement, nowMilliseconds: milliseconds)
        } catch {
            throw PeerExchangeError(.invalidAnnouncement, "nobody would believe the announcement", cause: error)
        }
        guard opened.peer == self.localPeer else { throw PeerExchangeError(.notOwn, "the announcement is by \(opened.peer), not by this node") }
        let signed = SignedAnnouncement(announcement: opened, envelope: announcement)
        let (verdict, count) = self.update { state in (state.announced(signed, nowMilliseconds: milliseconds), state.links.count) }
        guard verdict != .refused else {
            throw PeerExchangeError(.limitExceeded, "\(self.configuration.maximumOwnAnnouncements) keys are announced already")
        }
        return verdict == .taken ? count : 0
    }

    /// How many connected peers have confirmed this node's latest announcement, or withdrawal, of `key`.
    public func announcedCount(of key: RendezvousKey) -> Int { self.responder.state.withLock { $0.toldCount(of: key) } }

    // MARK: Following

    /// Reports holders of `key` from now on as ``PeerExchangeEvent/discovered(_:addresses:key:)``: connected peers pass on what they hear with each exchange.
    ///
    /// - Throws: ``PeerExchangeError`` with `.limitExceeded`.
    public func follow(_ key: RendezvousKey) throws {
        guard self.update({ $0.follow(key) }) else {
            throw PeerExchangeError(.limitExceeded, "\(self.configuration.maximumInterests) keys are followed already")
        }
    }

    public func unfollow(_ key: RendezvousKey) { self.update { $0.unfollow(key) } }

    // MARK: Searching

    /// Who has what `key` stands for: those that told this node themselves at once, then those that connected peers know of, as they answer.
    ///
    /// Each is signed by the holder, and its addresses are those in the announcement and in the holder's own record: dial them as a stranger's.
    /// Ends when everyone asked has answered, or after ``PeerExchangeConfiguration/requestTimeout``.
    public func findHolders(of key: RendezvousKey) -> AsyncStream<ContentAnnouncement> {
        let limit = self.configuration.maximumAskedPeers * PeerExchangeLimits.maximumHolders + self.configuration.maximumAnnouncementsPerKey
        let (stream, continuation) = AsyncStream.makeStream(of: ContentAnnouncement.self, bufferingPolicy: .bufferingOldest(max(1, limit)))
        let task = Task {
            await self.search(key, into: continuation)
            continuation.finish()
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }

    private func search(_ key: RendezvousKey, into continuation: AsyncStream<ContentAnnouncement>.Continuation) async {
        let isAdmitted = self.state.withLock { state in
            guard state.searchCount < self.configuration.maximumSearches else { return false }
            state.searchCount += 1
            return true
        }
        defer { if isAdmitted { self.state.withLock { $0.searchCount -= 1 } } }
        if isAdmitted { await self.firstPeer() }
        var seen: [PeerID: UInt64] = [:]
        func tell(_ announcement: ContentAnnouncement) {
            if let timestamp = seen[announcement.peer], timestamp >= announcement.timestampMilliseconds { return }
            seen[announcement.peer] = announcement.timestampMilliseconds
            continuation.yield(announcement)
        }
        var generator = SystemRandomNumberGenerator()
        let (known, ask) = self.responder.state.withLock { state in
            if !isAdmitted { state.counters.searchesCutShort += 1 }
            return state.search(key, asksOthers: isAdmitted, nowMilliseconds: WallClock.nowMilliseconds, using: &generator)
        }
        for announcement in known { tell(announcement) }
        await withTaskGroup(of: [ContentAnnouncement].self) { group in
            for peer in ask {
                group.addTask { await self.holders(of: key, knownTo: peer) }
            }
            for await found in group {
                for announcement in found { tell(announcement) }
            }
        }
    }

    /// Every first contact was tried in vain: searches do not wait for the first peer. Whoever comes all the same is asked by searches from then on.
    public func nobodyIsExpected() {
        self.expectsNobody.store(true, ordering: .relaxed)
        self.changes.emit(())
    }

    /// Who asks right after the start waits for the first peer, for ``PeerExchangeConfiguration/firstPeerPatience`` at most.
    private func firstPeer() async {
        let changes = self.changes.subscribe()
        let deadline = self.created + self.configuration.firstPeerPatience
        @Sendable func isAlone() -> Bool { !self.expectsNobody.load(ordering: .relaxed) && self.responder.state.withLock { $0.links.isEmpty } }
        guard isAlone(), .now < deadline else { return }
        await withTimeout(deadline - .now) {
            for await _ in changes where !isAlone() { return }
        }
    }

    private func holders(of key: RendezvousKey, knownTo peer: PeerID) async -> [ContentAnnouncement] {
        do {
            let response = try await self.ask(.query(key), of: peer)
            let found = self.responder.answered(response, about: key, by: peer, moment: .current)
            self.publish()
            return found
        } catch {
            self.failed(error, peer)
            return []
        }
    }

    // MARK: Asking

    private func ask(_ request: PeerExchangeRequest, of peer: PeerID) async throws -> PeerExchangeResponse {
        guard let connection = self.dialer.connection(to: peer) else { throw ConnectionError(.closed, "\(peer) is not connected") }
        return try await PeerExchangeStream.ask(request, on: connection, timeout: self.configuration.requestTimeout)
    }

    private func failed(_ error: any Error, _ peer: PeerID) {
        guard !(error is CancellationError), !Task.isCancelled else { return }
        self.count { $0.requestsFailed += 1 }
        self.logger.debug("no answer", metadata: ["dig.pex.peer": "\(peer)", "dig.pex.error": "\(error)"])
    }

    // MARK: State

    private func count(_ body: (inout PeerExchangeStatistics) -> Void) { self.responder.state.withLock { body(&$0.counters) } }

    /// Changes the state, reports what came of it and sees to what is due.
    @discardableResult
    private func update<Result: Sendable>(_ body: (inout PeerExchangeStateMachine) -> Result) -> Result {
        let result = self.responder.state.withLock { body(&$0) }
        self.publish()
        return result
    }

    private func publish() {
        self.emit()
        self.wake.yield()
    }

    private func emit() {
        let (events, heard) = self.responder.state.withLock { ($0.takeEvents(), $0.takeHeard()) }
        for event in events { self.broadcast.emit(event) }
        for envelope in heard { self.heard.emit(envelope) }
    }

    // MARK: Life cycle

    /// Answers and tells others until cancelled or shut down gracefully. Runs once.
    ///
    /// - Throws: ``PeerExchangeError`` with `.alreadyRunning`.
    public func run() async throws {
        let isFirst = self.state.withLock { state in
            guard !state.hasRun else { return false }
            state.hasRun = true
            state.isRunning = true
            return true
        }
        guard isFirst else { throw PeerExchangeError(.alreadyRunning, "peer exchange is running already, or has run") }
        self.router.register(Self.protocolID) { [weak self] stream, connection in
            stream.eventLoop.makeCompletedFuture { try self?.accept(stream, of: connection) }
        }
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.act() }
                await self.inbound.serve { await self.serve($0) }
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.inbound.finish()
        }
        self.inbound.finish()
        self.router.unregister(Self.protocolID)
        self.state.withLock { $0.isRunning = false }
        self.broadcast.finish()
        self.heard.finish()
    }

    /// Performs what is due, until cancelled.
    private func act() async {
        await withDiscardingTaskGroup { group in
            var generator = SystemRandomNumberGenerator()
            var timer: (Task<Void, Never>, ContinuousClock.Instant)?
            var wakes = self.wakes.makeAsyncIterator()
            var ownEnvelope: SignedEnvelope?
            repeat {
                if let envelope = self.ownRecord(), envelope != ownEnvelope {
                    ownEnvelope = envelope
                    self.ownRecordChanged(envelope)
                }
                let (actions, deadline) = self.responder.state.withLock { state in
                    (state.actions(moment: .current, using: &generator), state.deadline)
                }
                self.emit()
                for action in actions { group.addTask { await self.perform(action) } }
                if timer?.1 != deadline {
                    timer?.0.cancel()
                    // Owned by this loop, which cancels it when another time counts and at the end.
                    timer = (
                        Task { [wake] in
                            do { try await Task.sleep(until: deadline, clock: .continuous) } catch { return }
                            wake.yield()
                        }, deadline
                    )
                }
            } while await wakes.next() != nil
            timer?.0.cancel()
            group.cancelAll()
        }
    }

    private func ownRecordChanged(_ envelope: SignedEnvelope) {
        do throws(IdentityError) {
            let record = try SignedPeerRecord(opening: envelope)
            self.responder.state.withLock { $0.ownRecordChanged(record) }
        } catch {
            self.logger.debug("own record can't be read", metadata: ["dig.pex.error": "\(error)"])
        }
    }

    private func perform(_ action: PeerExchangeStateMachine.Action) async {
        switch action {
        case .push(let request, let peer, let link):
            let outcome: PeerExchangeStateMachine.PushOutcome
            do {
                outcome = .answered(try await self.ask(request, of: peer).status)
            } catch let error as ConnectionError where error.code == .noCommonProtocol {
                outcome = .notSpoken
            } catch {
                self.logger.debug("nothing told", metadata: ["dig.pex.peer": "\(peer)", "dig.pex.error": "\(error)"])
                outcome = .failed
            }
            self.update { state in
                state.pushed(to: peer, link: link, outcome, now: .now)
            }
            // Its end may have come before its beginning was told.
            if outcome == .failed, self.dialer.connection(to: peer) == nil { self.disconnected(peer) }
        case .dial(let peer, let addresses):
            var options = DialOptions()
            options.source = self.configuration.allowsPrivateAddresses ? .user : .stranger
            options.timeout = self.configuration.dialTimeout
            var isConnected = false
            do {
                _ = try await self.dialer.connect(to: peer, addresses: addresses, options: options)
                isConnected = true
            } catch {
                self.logger.debug("peer not reached", metadata: ["dig.pex.peer": "\(peer)", "dig.pex.error": "\(error)"])
            }
            let outcome = isConnected
            self.update { $0.dialed(peer, isConnected: outcome, now: .now) }
        }
    }

    // MARK: Answering

    private func accept(_ stream: any Channel, of connection: any Connection) throws {
        let messages = try MessageStream(on: stream, limit: PeerExchangeLimits.maximumMessageByteCount, timeout: self.configuration.requestTimeout)
        if !self.inbound.accept(messages, of: connection) { self.count { $0.refusedStreams += 1 } }
    }

    private func serve(_ inbound: InboundStreams.Inbound) async {
        let (messages, peer) = (inbound.messages, inbound.connection.remotePeer)
        do {
            let request = try PeerExchangeCodec.decodeRequest(await messages.read().get())
            let response = self.responder.respond(to: request, from: peer, moment: .current)
            self.publish()
            try await messages.write(PeerExchangeCodec.encode(response)).get()
            messages.finish()
            // The peer ends the stream when it has read the answer; a reset might overtake that.
            _ = try await messages.read().get()
        } catch let error as ConnectionError where error.code == .closed {
            // As it should.
        } catch {
            if (error as? ConnectionError)?.code == .protocolViolation || error is PeerExchangeDecodingError {
                self.count { $0.malformedMessages += 1 }
            }
            self.logger.debug("stream ended", metadata: ["dig.pex.peer": "\(peer)", "dig.pex.error": "\(error)"])
        }
    }
}
