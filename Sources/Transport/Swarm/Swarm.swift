public import DIGIdentity
import DIGMultiformats
public import DIGNet
import DIGNoise
public import Logging
public import NIOCore
public import ServiceLifecycle
import Synchronization

/// The connections of a node: listens, dials, upgrades, keeps one connection for each peer, and routes streams to the protocols
/// registered.
///
/// Everything works from `init` on; ``run()`` adds an orderly end. A swarm that is not run must be ended with ``shutdown()``.
public final class Swarm: Service, StreamRouter, PeerDialer, Sendable {
    struct State {
        var pool: ConnectionPool<SwarmConnection>
        var listeners: [any Listener] = []
        var dials: [DialKey: Dial] = [:]
        /// Counts the dials that want a connection of their own.
        var dialSerial: UInt64 = 0
        /// Accepted channels that are still shaking hands.
        var inboundUpgrades: [ObjectIdentifier: ConnectionUpgrade] = [:]
        /// Punches under way, by the IP address aimed at.
        var punches: [Multiaddr.Component: ExpectedPunches] = [:]
        var protections: [PeerID: Set<String>] = [:]
        /// Of connected peers only.
        var identified: [PeerID: IdentifyInfo] = [:]
        /// What is announced beside the addresses listened on, by who said so.
        var advertised: [String: [Multiaddr]] = [:]
        /// Looks at the machine's interfaces.
        var interfacePoll: RepeatedTask?
        /// The record signed last, and what it says.
        var ownRecord: OwnRecord?
        var isPushScheduled = false
        /// Connected peers that have not said yet whether they take pushes, and would have got one.
        var owedPushes: Set<PeerID> = []
        var isClosed = false
    }

    /// Streams that don't keep a connection open.
    static let housekeepingProtocols: Set<ProtocolID> = [Identify.protocolID, Identify.pushProtocolID, Ping.protocolID]

    private static let connectionCount = Atomic<UInt64>(0)

    package let identity: KeyPair
    public let localPeer: PeerID
    let transports: [any Transport]
    let group: any EventLoopGroup
    let configuration: SwarmConfiguration
    let logger: Logger
    let refusals: RefusalLog
    let protocols = ProtocolTable()
    let traffic = TrafficCounter()
    let hub: EventBroadcast<SwarmEvent>
    let state: Mutex<State>
    /// What was announced last. Held while the addresses are gathered, so that the last to gather is the last to tell.
    let announced = Mutex<[Multiaddr]>([])

    /// - Parameters:
    ///   - transports: The first that understands an address is used for it.
    ///   - group: Its loops carry dialed connections.
    public init(
        identity: KeyPair, transports: [any Transport], group: any EventLoopGroup,
        configuration: SwarmConfiguration = .init(), logger: Logger
    ) {
        self.identity = identity
        self.localPeer = identity.peerID
        self.transports = transports
        self.group = group
        self.configuration = configuration
        self.logger = logger
        self.refusals = RefusalLog(logger, naming: "dig.swarm.peer")
        self.hub = EventBroadcast(bufferCount: configuration.eventBufferCount)
        self.state = Mutex(
            State(
                pool: ConnectionPool(
                    maximumConnections: configuration.maximumConnections,
                    maximumConnectionsPerPeer: configuration.maximumConnectionsPerPeer,
                    simultaneousDialWindow: TimeAmount(configuration.simultaneousDialWindow))))
        self.registerHousekeeping()
    }

    // MARK: Life cycle

    /// Waits until the task is cancelled or a graceful shutdown begins, then calls ``shutdown()``.
    public func run() async throws {
        do {
            try await gracefulShutdown()
        } catch is CancellationError {
            // The other way to end.
        }
        await self.shutdown()
    }

    /// Stops listening and dialing and says goodbye to every peer, for at most ``SwarmConfiguration/closeTimeout``. Nothing can be opened afterwards.
    public func shutdown() async {
        let (listeners, dials, upgrades, connections) = self.state.withLock { state in
            state.isClosed = true
            state.interfacePoll?.cancel()
            state.interfacePoll = nil
            defer { state.listeners = [] }
            return (state.listeners, Array(state.dials.values), Array(state.inboundUpgrades.values), state.pool.all)
        }
        for dial in dials {
            dial.task.finish(.failure(ConnectionError(.closed, "the swarm is shut down")))
            dial.task.cancel()
        }
        for upgrade in upgrades { upgrade.abort() }
        for connection in connections { connection.startClosing() }
        for listener in listeners { await listener.close() }
        for connection in connections { await connection.close() }
        self.hub.finish()
    }

    // MARK: Protocols

    public func register(_ id: ProtocolID, handler: @escaping StreamHandler) {
        if self.protocols.set(handler, for: id) { self.schedulePush() }
    }

    public func unregister(_ id: ProtocolID) {
        if self.protocols.set(nil, for: id) { self.schedulePush() }
    }

    // MARK: Connections

    /// The open connection to `peer` on which new streams should be opened.
    public func connection(to peer: PeerID) -> (any Connection)? {
        self.openConnection(to: peer)
    }

    func openConnection(to peer: PeerID) -> SwarmConnection? {
        self.state.withLock { state in
            state.pool.preferred(for: peer).flatMap { $0.isClosing ? nil : $0 }
        }
    }

    /// One for each connected peer.
    public var connections: [any Connection] { self.state.withLock { $0.pool.preferred } }

    /// Connections kept: ``SwarmConfiguration/maximumConnections`` at first. Lowering it closes none at once: idle ones make room, as ever.
    public var maximumConnections: Int {
        get { self.state.withLock { $0.pool.maximumConnections } }
        set { self.state.withLock { $0.pool.maximumConnections = newValue } }
    }

    /// Keeps connections to `peer` open without streams, and when others need room, until every `tag` is taken back.
    public func protect(_ peer: PeerID, tag: String) {
        self.state.withLock { _ = $0.protections[peer, default: []].insert(tag) }
    }

    public func unprotect(_ peer: PeerID, tag: String) {
        self.state.withLock { state in
            state.protections[peer]?.remove(tag)
            if state.protections[peer]?.isEmpty == true { state.protections[peer] = nil }
        }
    }

    /// What happens from now on.
    public var events: SwarmEvents { SwarmEvents(stream: self.hub.subscribe()) }

    public var statistics: SwarmStatistics {
        let (connections, handshakes, dials) = self.state.withLock { ($0.pool.all, $0.inboundUpgrades.count, $0.dials.count) }
        return SwarmStatistics(
            openConnections: connections.count,
            openStreams: connections.reduce(0) { $0 + $1.openStreamCount },
            inboundHandshakes: handshakes,
            pendingDials: dials,
            bytesReceived: self.traffic.received.load(ordering: .relaxed),
            bytesSent: self.traffic.sent.load(ordering: .relaxed),
            droppedEvents: self.hub.droppedCount)
    }

    // MARK: What upgrades report

    func makeConnection(role: ConnectionRole, secured: SecuredChannel, remoteAddress: Multiaddr, channel: any Channel) -> SwarmConnection {
        SwarmConnection(
            id: ConnectionID(rawValue: Self.connectionCount.wrappingAdd(1, ordering: .relaxed).newValue),
            role: role, localPeer: self.localPeer, secured: secured, remoteAddress: remoteAddress, channel: channel,
            protocols: self.protocols, configuration: self.configuration,
            isProtected: { peer in self.state.withLock { $0.protections[peer] != nil } })
    }

    /// Takes a connection that is ready for streams, or throws if there is no room.
    func established(_ connection: SwarmConnection) throws {
        let peer = connection.remotePeer
        let (dials, victim) = try self.state.withLock { state throws(ConnectionError) -> ([Dial], SwarmConnection?) in
            guard !state.isClosed else { throw ConnectionError(.closed, "the swarm is shut down") }
            let admission = state.pool.insert(connection, now: .now()) { state.protections[$0] != nil }
            guard case .admit(let isFirst, let redundant, let victim) = admission else {
                let isFull = state.pool.count >= state.pool.maximumConnections
                throw ConnectionError(
                    .limitExceeded,
                    isFull
                        ? "\(state.pool.maximumConnections) connections are open and in use"
                        : "\(self.configuration.maximumConnectionsPerPeer) connections to \(peer) are open and in use")
            }
            redundant?.setRedundant(true)
            if isFirst { self.hub.emit(.connected(connection)) }
            if let redundant, redundant !== connection, redundant.isRelayed, !connection.isRelayed {
                self.hub.emit(.upgraded(connection))
            }
            let satisfied = state.dials.filter { $0.key.target == .peer(peer) && $0.value.isSatisfied(by: connection) }
            for key in satisfied.keys { state.dials[key] = nil }
            return (Array(satisfied.values), victim)
        }
        self.logger.debug(
            "connected", metadata: ["dig.swarm.peer": "\(peer)", "dig.swarm.address": "\(connection.remoteAddress)", "dig.swarm.role": "\(connection.role)"])
        connection.closeFuture.whenComplete { _ in self.removed(connection) }
        victim?.startClosing()
        for dial in dials {
            dial.task.finish(.success(connection))
            dial.task.cancel()
        }
        if !connection.isRedundant { self.identify(connection) }
    }

    private func removed(_ connection: SwarmConnection) {
        let peer = connection.remotePeer
        self.state.withLock { state in
            guard let removal = state.pool.remove(connection) else { return }
            removal.promoted?.setRedundant(false)
            if removal.isLast {
                state.identified[peer] = nil
                state.owedPushes.remove(peer)
                self.hub.emit(.disconnected(peer))
            }
        }
        self.logger.debug("disconnected", metadata: ["dig.swarm.peer": "\(peer)", "dig.swarm.address": "\(connection.remoteAddress)"])
    }
}
