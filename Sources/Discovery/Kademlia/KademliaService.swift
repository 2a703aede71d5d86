public import DIGIdentity
public import DIGMultiformats
public import DIGNet
public import Logging
import NIOCore
import OrderedCollections
public import ServiceLifecycle
import Synchronization

/// A node of one DHT.
///
/// Looking up, providing and storing work as soon as some node is known, also before ``run()``, which answers others, refreshes the table and
/// announces again what is provided. Tell it about peers with ``identified(_:protocols:addresses:)`` and ``disconnected(_:)``, and whether this
/// node can be reached with ``setMode(_:)``.
public final class KademliaService: Service {
    private struct State {
        var mode: KademliaMode
        var hasRun = false
        var isRunning = false
        var lastSequence: UInt64 = 0
        /// Rounds of asking the nodes to begin with that are under way.
        var joinCount = 0
        /// Nodes asked in the last of them, and how many of these have failed.
        var joinNodes = 0
        var joinFailures = 0
        /// The configured nodes to begin with have not been asked yet.
        var isBeginning: Bool
    }

    public let localPeer: PeerID
    let localKey: KademliaKey
    let dialer: any PeerDialer
    let router: any StreamRouter
    let identity: KeyPair
    let configuration: KademliaConfiguration
    let storage: (any KademliaStorage)?
    let localAddresses: @Sendable () -> [Multiaddr]
    let logger: Logger
    let responder: KademliaResponder
    let pool: KademliaStreamPool
    let schedule: Mutex<ProvideSchedule>
    let probes: AsyncStream<KademliaPeer>
    let probe: AsyncStream<KademliaPeer>.Continuation
    let provideWakes: AsyncStream<Void>
    let provideWake: AsyncStream<Void>.Continuation
    private let inbound: InboundStreams
    private let state: Mutex<State>
    /// Something has changed about whether nodes are known, or will be soon.
    private let joinChanges = EventBroadcast<Void>(bufferCount: 1)

    /// - Parameters:
    ///   - dialer: Connects to other nodes.
    ///   - router: Where their questions come in.
    ///   - identity: Signs what this node provides.
    ///   - storage: What is remembered between runs; nil: nothing.
    ///   - localAddresses: Where this node can be reached; asked for each announcement.
    public init(
        dialer: any PeerDialer, router: any StreamRouter, identity: KeyPair, configuration: KademliaConfiguration = .dig,
        storage: (any KademliaStorage)? = nil, localAddresses: @escaping @Sendable () -> [Multiaddr], logger: Logger
    ) {
        self.localPeer = identity.peerID
        self.localKey = KademliaKey(identity.peerID)
        self.dialer = dialer
        self.router = router
        self.identity = identity
        self.configuration = configuration
        self.storage = storage
        self.localAddresses = localAddresses
        self.logger = logger
        self.responder = KademliaResponder(localKey: self.localKey, configuration: configuration)
        self.pool = KademliaStreamPool(dialer: dialer, configuration: configuration)
        self.schedule = Mutex(ProvideSchedule(interval: configuration.reprovideInterval, maximumCount: configuration.maximumProvidedKeys))
        (self.probes, self.probe) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(64))
        (self.provideWakes, self.provideWake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        self.inbound = InboundStreams(
            maximumCount: configuration.maximumInboundStreams, maximumCountPerPeer: configuration.maximumInboundStreamsPerPeer)
        self.state = Mutex(State(mode: configuration.mode, isBeginning: !configuration.bootstrapPeers.isEmpty))
    }

    public var protocolID: ProtocolID { self.configuration.protocolID }

    public var statistics: KademliaStatistics {
        var statistics = self.responder.state.withLock { $0.snapshot }
        statistics.providedKeyCount = self.schedule.withLock { $0.count }
        statistics.inboundStreamCount = self.inbound.count
        return statistics
    }

    func count(_ body: (inout KademliaStatistics) -> Void) { self.responder.state.withLock { body(&$0.statistics) } }

    /// The nodes known, by how many bits their place shares with this node's, from the farthest.
    public var routingTable: [[KademliaPeer]] {
        self.responder.state.withLock { $0.table.entries.map { $0.map(\.peer) } }
    }

    /// A number above all that were given out, from the time of day.
    func nextSequence() -> UInt64 {
        self.state.withLock { state in
            state.lastSequence = max(WallClock.nowMilliseconds, state.lastSequence + 1)
            return state.lastSequence
        }
    }

    // MARK: Mode

    public var mode: KademliaMode { self.state.withLock { $0.mode } }

    /// Begins or ends to answer others. Nodes that ask in between notice by themselves.
    public func setMode(_ mode: KademliaMode) {
        let isChanged = self.state.withLock { state in
            defer { state.mode = mode }
            return state.isRunning && state.mode != mode
        }
        guard isChanged else { return }
        self.applyMode()
    }

    private func applyMode() {
        guard self.mode == .server else { return self.router.unregister(self.configuration.protocolID) }
        self.router.register(self.configuration.protocolID) { [weak self] stream, connection in
            stream.eventLoop.makeCompletedFuture { try self?.accept(stream, of: connection) }
        }
    }

    // MARK: Joining

    func beginsToJoin(asking count: Int) {
        self.state.withLock { state in
            state.joinCount += 1
            state.joinNodes = count
            state.joinFailures = 0
        }
    }

    func hasFailedToJoin() { self.state.withLock { $0.joinFailures += 1 } }

    func hasTriedToJoin() {
        self.state.withLock { state in
            state.joinCount -= 1
            state.isBeginning = false
        }
        self.joinChanges.emit(())
    }

    /// What could not be announced for lack of nodes is announced now.
    func foundFirstNode() {
        self.joinChanges.emit(())
        self.schedule.withLock { $0.retry(now: .now) }
        self.provideWake.yield()
    }

    /// Waits for the first node while the ones to begin with are being asked, so that what is looked for right after the start is found too: until all have
    /// failed, for ``KademliaConfiguration/requestTimeout`` at most, and for half of that if most have failed by then.
    package func waitUntilJoined() async {
        @Sendable func isOver() -> Bool {
            guard self.responder.state.withLock({ $0.table.count == 0 }) else { return true }
            return self.state.withLock { !$0.isBeginning && $0.joinCount == 0 }
        }
        guard !isOver() else { return }
        let changes = self.joinChanges.subscribe()
        guard !isOver() else { return }
        let limit = self.configuration.requestTimeout
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in changes where isOver() { return }
            }
            // Cancelled when the other is done.
            group.addTask {
                try? await Task.sleep(for: limit / 2)
                let mostHaveFailed = self.state.withLock { $0.joinFailures * 2 > $0.joinNodes }
                if !mostHaveFailed { try? await Task.sleep(for: limit / 2) }
            }
            await group.next()
            group.cancelAll()
        }
        // Nobody waits twice.
        self.state.withLock { $0.isBeginning = false }
    }

    // MARK: Peers

    /// A connected peer has said which protocols it answers and where it listens.
    ///
    /// If it serves this DHT it is asked to prove it, and enters the table.
    public func identified(_ peer: PeerID, protocols: [ProtocolID], addresses: [Multiaddr]) {
        guard peer != self.localPeer else { return }
        let addresses = self.responder.filter(addresses)
        let node = KademliaPeer(peer, addresses: addresses)
        let isServer = protocols.contains(self.configuration.protocolID)
        let isKnown = self.responder.state.withLock { state in
            state.connected(peer, addresses: addresses)
            if !isServer { state.table.remove(node.key) }
            return state.table.entry(node.key)?.peer.addresses == addresses
        }
        if isServer, !isKnown, !addresses.isEmpty { self.probe.yield(node) }
    }

    /// The last connection to a peer is gone.
    public func disconnected(_ peer: PeerID) {
        self.responder.state.withLock { $0.disconnected(peer) }
    }

    // MARK: Life cycle

    /// Answers others and keeps everything up until cancelled or shut down gracefully. Runs once.
    ///
    /// - Throws: ``KademliaError`` with `.alreadyRunning`.
    public func run() async throws {
        let isFirst = self.state.withLock { state in
            guard !state.hasRun else { return false }
            state.hasRun = true
            state.isRunning = true
            return true
        }
        guard isFirst else { throw KademliaError(.alreadyRunning, "the DHT is running already, or has run") }
        await self.load()
        self.applyMode()
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.maintain() }
                group.addTask { await self.proveNodes() }
                group.addTask { await self.reprovide() }
                if self.configuration.publishesOverlayAddress { group.addTask { await self.keepOverlayAddressPublished() } }
                await self.inbound.serve { await self.serve($0) }
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.inbound.finish()
        }
        self.inbound.finish()
        self.joinChanges.finish()
        self.router.unregister(self.configuration.protocolID)
        self.pool.close()
        await self.save()
        self.state.withLock { $0.isRunning = false }
    }

    // MARK: Answering

    private func accept(_ stream: any Channel, of connection: any Connection) throws {
        let messages = try MessageStream(
            on: stream, limit: KademliaLimits.maximumRequestByteCount, timeout: self.configuration.inboundIdleTimeout)
        // A client answers nobody, also one that has just become it.
        guard self.mode == .server else {
            self.count { $0.refusedStreams += 1 }
            return messages.close()
        }
        if !self.inbound.accept(messages, of: connection) { self.count { $0.refusedStreams += 1 } }
    }

    private func serve(_ inbound: InboundStreams.Inbound) async {
        let (messages, connection) = (inbound.messages, inbound.connection)
        do {
            try await self.converse(messages, connection)
            messages.finish()
        } catch let error as ConnectionError where error.code == .closed {
            // The peer has asked all it wanted.
            messages.finish()
        } catch {
            if (error as? ConnectionError)?.code == .protocolViolation || error is KademliaDecodingError {
                self.count { $0.malformedMessages += 1 }
            }
            self.logger.debug(
                "stream ended",
                metadata: ["dig.kademlia.peer": "\(connection.remotePeer)", "dig.kademlia.error": "\(error)"])
        }
    }

    private func converse(_ messages: MessageStream, _ connection: any Connection) async throws {
        while true {
            let bytes = try await messages.read().get()
            let delay = self.responder.state.withLock { state in
                let delay = state.delay(
                    for: connection.remotePeer, rate: self.configuration.requestsPerSecondPerPeer, burst: self.configuration.requestBurstPerPeer,
                    now: .now)
                if delay > .zero { state.statistics.delayedRequests += 1 }
                return delay
            }
            if delay > .zero { try await Task.sleep(for: delay) }
            let message = try KademliaCodec.decode(bytes)
            switch self.responder.reply(to: message, from: connection.remotePeer, at: connection.remoteAddress, moment: .current) {
            case .answer(let answer): try await messages.write(KademliaCodec.encode(answer)).get()
            case .nothing: continue
            case .reset: throw KademliaError(.invalidValue, "the record is not taken")
            }
        }
    }
}
