public import DIGIdentity
import DIGMultiformats
public import DIGNet
public import Logging
import NIOCore
import OrderedCollections
public import ServiceLifecycle
import Synchronization

/// A node that passes messages on under topics.
///
/// Subscribing and publishing work at once, also before ``run()``, which talks to the peers. Tell it about them with
/// ``identified(_:protocols:signedRecord:)`` and ``disconnected(_:)``; one that speaks first is taken in as well.
public final class GossipSub: Service, Sendable {
    typealias Instant = ContinuousClock.Instant

    /// What is known of the streams of one peer.
    struct Link: Sendable {
        let id: UInt64
        var queue: OutboundQueue
        let wake: AsyncStream<Void>.Continuation
        /// On which the peer sends.
        var inbound: Inbound?
        /// On which this node sends, and the connection it belongs to.
        var outbound: (messages: MessageStream, connection: ConnectionID)?
    }

    /// A peer whose stream is to be opened.
    struct NewLink: Sendable {
        var peer: PeerID
        var id: UInt64
        var wakes: AsyncStream<Void>
    }

    struct Inbound: Sendable {
        var peer: PeerID
        var id: UInt64
        var messages: MessageStream
    }

    struct Subscription: Sendable {
        var id: UInt64
        var validator: @Sendable (GossipMessage) -> GossipVerdict
        var deliveries: AsyncStream<GossipMessage>.Continuation
    }

    struct ExchangedPeer: Sendable {
        var peer: PeerID
        var addresses: [Multiaddr]
    }

    struct State: Sendable {
        var router: GossipRouter<SystemRandomNumberGenerator>
        var links: [PeerID: Link] = [:]
        var subscriptions: [String: Subscription] = [:]
        var inbound: AsyncStream<Inbound>.Continuation?
        var hasRun = false
        var lastSequence: UInt64 = 0
        var lastID: UInt64 = 0

        mutating func nextID() -> UInt64 {
            self.lastID += 1
            return self.lastID
        }
    }

    public let localPeer: PeerID
    let dialer: any PeerDialer
    let router: any StreamRouter
    let identity: KeyPair
    let configuration: GossipSubConfiguration
    let logger: Logger
    let state: Mutex<State>
    let newLinks: AsyncStream<NewLink>
    let newLink: AsyncStream<NewLink>.Continuation
    let exchangedPeers: AsyncStream<ExchangedPeer>
    let exchangedPeer: AsyncStream<ExchangedPeer>.Continuation

    /// - Parameters:
    ///   - dialer: Knows the connections to the peers.
    ///   - router: Where their streams come in.
    ///   - identity: Signs what this node publishes.
    public init(
        dialer: any PeerDialer, router: any StreamRouter, identity: KeyPair, configuration: GossipSubConfiguration = GossipSubConfiguration(), logger: Logger
    ) {
        self.localPeer = identity.peerID
        self.dialer = dialer
        self.router = router
        self.identity = identity
        self.configuration = configuration
        self.logger = logger
        self.state = Mutex(
            State(
                router: GossipRouter(
                    localPeer: identity.peerID, configuration: configuration, generator: SystemRandomNumberGenerator(), now: .now)))
        (self.newLinks, self.newLink) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(max(1, configuration.maximumPeers)))
        (self.exchangedPeers, self.exchangedPeer) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(64))
    }

    // MARK: What it knows

    public var statistics: GossipSubStatistics {
        self.state.withLock { state in
            var statistics = state.router.statistics
            statistics.queuedByteCount = state.links.values.reduce(0) { $0 + $1.queue.byteCount }
            return statistics
        }
    }

    /// What this node has subscribed to.
    public var topics: [String] { self.state.withLock { Array($0.router.meshes.keys) } }

    /// Connected peers that have subscribed to `topic`.
    public func peers(in topic: String) -> [PeerID] { self.state.withLock { Array($0.router.members[topic] ?? []) } }

    /// Those of them that get every message at once.
    public func mesh(of topic: String) -> [PeerID] { self.state.withLock { Array($0.router.meshes[topic] ?? []) } }

    /// What this node thinks of a peer; 0 for one that it does not know.
    public func score(of peer: PeerID) -> Double { self.state.withLock { $0.router.scores.score(of: peer) } }

    // MARK: Topics

    /// Subscribes to a topic.
    ///
    /// - Parameter validator: Asked about each message whose signature is right, before it is delivered and passed on. It runs while the peer that
    ///   brought the message waits, and several may run at a time: be quick.
    /// - Returns: The messages of others, from now on. Beyond ``GossipSubConfiguration/maximumBufferedDeliveries`` that nobody has read the oldest
    ///   are dropped. When nobody reads any more, the topic is left.
    /// - Throws: ``GossipSubError`` with `.alreadySubscribed`, `.invalidTopic` or `.limitExceeded`.
    public func subscribe(
        _ topic: String, validator: @escaping @Sendable (GossipMessage) -> GossipVerdict
    ) throws(GossipSubError) -> AsyncStream<GossipMessage> {
        try self.check(topic)
        let (stream, continuation) = AsyncStream.makeStream(
            of: GossipMessage.self, bufferingPolicy: .bufferingNewest(max(1, self.configuration.maximumBufferedDeliveries)))
        let id = try self.state.withLock { state throws(GossipSubError) -> UInt64 in
            guard state.subscriptions[topic] == nil else { throw GossipSubError(.alreadySubscribed, "\(topic) is subscribed to already") }
            guard state.subscriptions.count < self.configuration.maximumSubscriptions else {
                throw GossipSubError(.limitExceeded, "no more than \(self.configuration.maximumSubscriptions) topics")
            }
            let id = state.nextID()
            state.subscriptions[topic] = Subscription(id: id, validator: validator, deliveries: continuation)
            state.router.subscribe(topic, now: .now)
            _ = self.apply(&state)
            return id
        }
        continuation.onTermination = { [weak self] _ in
            // Later: a task that is being cancelled is locked by the runtime while it calls this.
            Task { [weak self] in self?.unsubscribe(topic, id: id) }
        }
        return stream
    }

    /// Leaves a topic and ends its stream.
    public func unsubscribe(_ topic: String) { self.unsubscribe(topic, id: nil) }

    private func unsubscribe(_ topic: String, id: UInt64?) {
        let subscription = self.state.withLock { state -> Subscription? in
            guard let subscription = state.subscriptions[topic], id == nil || id == subscription.id else { return nil }
            state.subscriptions[topic] = nil
            state.router.unsubscribe(topic, now: .now)
            _ = self.apply(&state)
            return subscription
        }
        subscription?.deliveries.finish()
    }

    private func check(_ topic: String) throws(GossipSubError) {
        guard (1...GossipLimits.maximumTopicByteCount).contains(topic.utf8.count) else {
            throw GossipSubError(.invalidTopic, "a topic has 1 to \(GossipLimits.maximumTopicByteCount) bytes, not \(topic.utf8.count)")
        }
    }

    /// Publishes a message of this node. Its own subscription does not get it.
    ///
    /// - Returns: To how many peers it is sent. With 0 nobody has it; those who come in the next seconds are told that it is here.
    /// - Throws: ``GossipSubError`` with `.invalidTopic`, `.messageTooLong` or `.signingFailed`.
    @discardableResult
    public func publish(_ data: [UInt8], to topic: String) throws(GossipSubError) -> Int {
        try self.check(topic)
        guard data.count <= self.configuration.maximumMessageByteCount else {
            throw GossipSubError(.messageTooLong, "a message of \(data.count) bytes, over \(self.configuration.maximumMessageByteCount)")
        }
        // From the time of day, so that it grows also over a restart.
        let sequence = self.state.withLock { state in
            state.lastSequence = max(WallClock.nowMilliseconds &* 1_000_000, state.lastSequence + 1)
            return state.lastSequence
        }
        let message: GossipMessage
        do throws(IdentityError) {
            message = try .signed(topic: topic, data: data, sequence: sequence, with: self.identity)
        } catch {
            throw GossipSubError(.signingFailed, "the message could not be signed", cause: error)
        }
        return self.state.withLock { state in
            let count = state.router.publish(message, now: .now)
            _ = self.apply(&state)
            return count
        }
    }

    // MARK: Peers

    /// A connected peer has said which protocols it speaks.
    ///
    /// - Parameter signedRecord: Its peer record, to pass on if ``GossipSubConfiguration/exchangesPeers``.
    public func identified(_ peer: PeerID, protocols: [ProtocolID], signedRecord: [UInt8]? = nil) {
        guard protocols.contains(GossipSubConfiguration.protocolID) || protocols.contains(GossipSubConfiguration.oldProtocolID),
            let connection = self.dialer.connection(to: peer)
        else { return }
        self.state.withLock { state in _ = self.link(peer, over: connection, record: signedRecord, &state) }
    }

    /// The last connection to a peer is gone.
    public func disconnected(_ peer: PeerID) {
        // It may be back already.
        guard self.dialer.connection(to: peer) == nil else { return }
        self.remove(peer)
    }

    // MARK: Life cycle

    /// Talks to the peers until cancelled or shut down gracefully. Runs once.
    ///
    /// - Throws: ``GossipSubError`` with `.alreadyRunning` or `.invalidConfiguration`.
    public func run() async throws {
        try self.configuration.validate()
        let (inbound, continuation) = AsyncStream.makeStream(
            of: Inbound.self, bufferingPolicy: .bufferingOldest(max(1, self.configuration.maximumPeers)))
        let isFirst = self.state.withLock { state in
            guard !state.hasRun else { return false }
            state.hasRun = true
            state.inbound = continuation
            return true
        }
        guard isFirst else { throw GossipSubError(.alreadyRunning, "gossipsub is running already, or has run") }
        for id in [GossipSubConfiguration.protocolID, GossipSubConfiguration.oldProtocolID] {
            self.router.register(id) { [weak self] stream, connection in
                stream.eventLoop.makeCompletedFuture { try self?.accept(stream, of: connection) }
            }
        }
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.beat() }
                group.addTask { await self.connectExchangedPeers() }
                group.addTask { await self.keepDirectPeers() }
                group.addTask {
                    await withDiscardingTaskGroup { group in
                        for await link in self.newLinks { group.addTask { await self.drive(link) } }
                        group.cancelAll()
                    }
                }
                for await stream in inbound {
                    group.addTask { await self.receive(stream) }
                }
                group.cancelAll()
            }
        } onGracefulShutdown: {
            continuation.finish()
        }
        continuation.finish()
        self.router.unregister(GossipSubConfiguration.protocolID)
        self.router.unregister(GossipSubConfiguration.oldProtocolID)
        self.shutDown()
    }

    private func shutDown() {
        let (peers, subscriptions) = self.state.withLock { state in
            state.inbound = nil
            return (Array(state.links.keys), Array(state.subscriptions.values))
        }
        for peer in peers { self.remove(peer) }
        for subscription in subscriptions { subscription.deliveries.finish() }
    }
}
