import DIGAutoNAT
public import DIGCircuitRelay
public import DIGHolePunching
public import DIGIdentity
import DIGMultiformats
public import DIGNet
import DIGPortMapping
import DIGSTUN
public import DIGSwarm
import DIGUDP
public import Logging
public import NIOCore
public import ServiceLifecycle
import Synchronization

/// Reaches peers wherever they are, and makes this node reachable: orchestrates port mapping, dial-backs, relays and hole punching over one swarm.
///
///     let circuits = CircuitRelayTransport(logger: logger)
///     let swarm = Swarm(identity: identity, transports: [tcp, circuits], group: group, logger: logger)
///     let traversal = NATTraversalManager(swarm: swarm, circuits: circuits, dialBacks: dialBacks, identity: identity, group: group, logger: logger)
///     try await swarm.listen(on: [...])
///     async let running: Void = traversal.run()
///     let result = try await traversal.connect(to: peer, addresses: addresses)
///     print(result.method)
///
/// While it runs, a node that turns out to be reachable by everybody relays for the others.
public final class NATTraversalManager: Service, Sendable {
    struct State {
        var climbs: [PeerID: Climb] = [:]
        /// Everything that runs beside ``run()``, to be waited for at the end.
        var tasks: [UInt64: Task<Void, Never>] = [:]
        var nextTask: UInt64 = 0
        var capabilities = CapabilityTable()
        var relayAddresses: [Multiaddr] = []
        /// What the router was asked for, by port; nil while it is being asked.
        var requestedMappings: [UInt16: PortMapping.ID?] = [:]
        var mappings: [Multiaddr: PortMapping.Method] = [:]
        /// Punches under way, and when the attempt in progress began.
        var punches: [PeerID: PunchProgress] = [:]
        /// How the open connection to a peer was made, where this node knows.
        var methods: [PeerID: TraversalMethod] = [:]
        /// What has worked since this node runs.
        var workingMethods: Set<TraversalMethod> = []
        /// Peers being asked for their capabilities; true: something changed meanwhile, ask once more.
        var asked: [PeerID: Bool] = [:]
        /// The records signed last, for the local network and for everybody.
        var ownRecords: [Bool: SignedRecord] = [:]
        /// The interfaces' addresses and the external ones, as last seen.
        var interfaces = NetworkFingerprint.unknown
        var externals: Set<Multiaddr> = []
        var udp: UDPEndpoint?
        var udpBehavior: NATBehavior?
        var udpProblem: String?
        /// Waits until the servers, of which none has helped, are asked again.
        var udpRetry: Task<Void, Never>?
        var isClosed = false
    }

    public let configuration: TraversalConfiguration
    let swarm: Swarm
    /// The swarm, for this node's own attempts and punches.
    let dialer: ContactNotingDialer
    let identity: KeyPair
    let store: any AttemptStore
    let logger: Logger
    let reachability: ReachabilityService
    let relayClient: RelayClient
    let relayService: RelayService
    /// Connections that the swarm keeps at most, without and with relaying.
    private let connectionLimits: (own: Int, relaying: Int)
    let puncher: HolePuncher
    /// The names of the backends through which punches can be agreed on without a connection.
    let signaling: [String]
    let restrictions: MethodRestrictions
    let portMapper: PortMapper?
    let autoNATv1Server: AutoNATv1Server
    let autoNATv2Server: AutoNATv2Server
    let circuits: CircuitRelayTransport
    let hub: EventBroadcast<(PeerID, TraversalEvent)>
    let changes: EventBroadcast<Void>
    let state = Mutex(State())
    /// Yielded to when it is time to ask the STUN servers.
    let udpLooks: AsyncStream<Void>.Continuation
    let udpLookTimes: AsyncStream<Void>
    let stunServer: STUNServer

    /// - Parameters:
    ///   - circuits: One of the swarm's transports. Is attached to the swarm here.
    ///   - dialBacks: Dials peers that ask whether they can be reached: a swarm of its own, with another key, so that what it finds is not what
    ///     the open connections make possible.
    ///   - store: Keeps what came of attempts.
    ///   - signaling: Ways to agree with peers on a punch without a connection to them, so that no relay is needed and no address need be known.
    ///     Those that are services run on their own. The one with the name `dht` makes layer 7, the others belong to layer 3; each is tried in turn.
    ///   - group: Its loops carry what is said to the router.
    public init(
        swarm: Swarm, circuits: CircuitRelayTransport, dialBacks: any PeerDialer, identity: KeyPair, store: any AttemptStore = MemoryAttemptStore(),
        signaling: [any Signaling] = [], configuration: TraversalConfiguration = .init(), group: any EventLoopGroup, logger: Logger
    ) {
        self.configuration = configuration
        self.swarm = swarm
        self.identity = identity
        self.store = store
        self.logger = logger
        self.circuits = circuits
        self.hub = EventBroadcast(bufferCount: configuration.eventBufferCount)
        self.changes = EventBroadcast(bufferCount: 1)
        (self.udpLookTimes, self.udpLooks) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.stunServer = STUNServer(logger: logger)
        circuits.attach(dialer: swarm, router: swarm, protector: swarm)
        circuits.configuredRelays = Set(configuration.relays.compactMap(\.peerID))

        let policy = configuration.addressPolicy
        var reachability = ReachabilityConfiguration()
        // One relay may have been named with several addresses.
        let relayCount = configuration.relays.isEmpty ? Int.max : Set(configuration.relays.compactMap(\.peerID)).count
        reachability.observed.minimumObservers = max(1, min(configuration.minimumObservers, relayCount))
        reachability.observed.minimumMappingObservers = max(2, min(configuration.minimumMappingObservers, relayCount))
        reachability.isPublic = { policy.isPublic($0) }
        let reachabilityService = ReachabilityService(dialer: swarm, router: swarm, configuration: reachability, logger: logger)
        self.reachability = reachabilityService
        self.dialer = ContactNotingDialer(base: swarm, reachability: reachabilityService)

        var relayClient = configuration.relayClient
        for address in configuration.relays {
            guard let peer = address.peerID else { continue }
            // One relay may have been named with several addresses.
            if let index = relayClient.relays.firstIndex(where: { $0.peer == peer && $0.isConfigured }) {
                relayClient.relays[index].addresses.append(address.removingPeerID())
            } else {
                relayClient.relays.append(RelayCandidate(peer: peer, addresses: [address.removingPeerID()], isConfigured: true))
            }
        }
        self.relayClient = RelayClient(transport: circuits, configuration: relayClient, logger: logger)

        var relayService = configuration.relayService
        relayService.addressPolicy = policy
        let allowance = configuration.relayConnectionAllowance ?? (relayService.maximumReservations + relayService.maximumCircuits)
        self.connectionLimits = (swarm.maximumConnections, swarm.maximumConnections + max(0, allowance))
        relayService.maximumReservations = min(relayService.maximumReservations, self.connectionLimits.relaying / 4 * 3)
        self.relayService = RelayService(
            identity: identity, dialer: swarm, router: swarm, protector: swarm, addresses: { swarm.announcedAddresses },
            configuration: relayService, logger: logger)

        var punching = configuration.holePunching
        punching.addressPolicy = policy
        let restrictions = MethodRestrictions(configured: configuration.ladder.preferredMethods, punching: punching)
        self.restrictions = restrictions
        self.signaling = signaling.map(\.name)
        self.puncher = HolePuncher(
            dialer: self.dialer, router: swarm, identity: identity, signaling: signaling, configuration: punching,
            localAddresses: { _ in Self.punchAddresses(reachabilityService.snapshot, listening: swarm.listenAddresses) },
            punchability: { LocalPunchability(reachabilityService.snapshot.tcpMapping) },
            usesListeningPort: { connection in
                guard let port = connection.localAddress?.tcpPort else { return nil }
                return swarm.listenAddresses.contains { $0.tcpPort == port }
            },
            allowance: { restrictions.allowance(for: $0, over: $1) }, logger: logger)

        var mapping = configuration.portMapping
        mapping.addressPolicy = policy
        self.portMapper = configuration.usesPortMapping ? PortMapper(configuration: mapping, group: group, logger: logger) : nil

        var v1 = AutoNATv1ServerConfiguration()
        v1.policy = DialBackPolicy(isPublic: { policy.isPublic($0) })
        self.autoNATv1Server = AutoNATv1Server(dialer: dialBacks, router: swarm, configuration: v1, logger: logger)
        var v2 = AutoNATv2ServerConfiguration()
        v2.policy = DialBackPolicy(isPublic: { policy.isPublic($0) })
        self.autoNATv2Server = AutoNATv2Server(dialer: dialBacks, router: swarm, configuration: v2, logger: logger)

        swarm.register(CapabilityExchange.protocolID) { [weak self] stream, connection in
            CapabilityExchange.answer(stream) { [weak self] in
                guard let self else { throw ConnectionError(.closed, "the node is shutting down") }
                return try self.signedCapabilities(for: connection)
            }
        }
    }

    // MARK: Life cycle

    /// Takes part until cancelled or shut down gracefully.
    public func run() async throws {
        // Circuits through every relay at which there is a place.
        do { try await self.swarm.listen(on: [Multiaddr(components: [.p2pCircuit])]) } catch {
            await self.shutdown()
            throw error
        }
        if self.configuration.relayDuty == .always { self.setRelaying(true) }
        await self.relayClient.setWanted(self.configuration.relayDuty != .always)
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                for pump in self.pumps { group.addTask { await pump() } }
                for (name, part) in self.parts {
                    group.addTask {
                        do {
                            try await part.run()
                        } catch is CancellationError {
                        } catch {
                            // The others go on: each makes the node reachable in its own way.
                            self.logger.info("a part of NAT traversal is off", metadata: ["dig.traversal.part": "\(name)", "dig.traversal.error": "\(error)"])
                        }
                    }
                }
                // Everything runs until the task is cancelled; a part that ends early does not end the others.
                await group.waitForAll()
            }
        }
        await self.shutdown()
    }

    /// Begins or ends to relay for others, which takes connections.
    func setRelaying(_ isOn: Bool) {
        self.swarm.maximumConnections = isOn ? self.connectionLimits.relaying : self.connectionLimits.own
        self.relayService.setEnabled(isOn)
    }

    private var parts: [(String, any Service)] {
        var parts: [(String, any Service)] = [
            ("reachability", self.reachability), ("relay client", self.relayClient), ("hole punching", self.puncher),
            ("AutoNAT v1 server", self.autoNATv1Server), ("AutoNAT v2 server", self.autoNATv2Server),
        ]
        if self.configuration.relayDuty != .never { parts.append(("relay service", self.relayService)) }
        if let portMapper = self.portMapper { parts.append(("port mapping", portMapper)) }
        return parts
    }

    private func shutdown() async {
        let (climbs, tasks) = self.state.withLock { state in
            state.isClosed = true
            return (Array(state.climbs.values), Array(state.tasks.values))
        }
        for climb in climbs {
            climb.result.finish(.failure(ConnectionError(.closed, "NAT traversal is shut down")))
            climb.result.cancel()
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
        await self.abandonPunches()
        self.withdraw()
        self.hub.finish()
        self.changes.finish()
        self.udpLooks.finish()
    }

    /// Starts work that ``run()`` waits for at its end.
    func spawn(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never>? {
        self.state.withLock { state in
            guard !state.isClosed else { return nil }
            let id = state.nextTask
            state.nextTask += 1
            let task = Task {
                await body()
                self.state.withLock { _ = $0.tasks.removeValue(forKey: id) }
            }
            state.tasks[id] = task
            return task
        }
    }

    // MARK: What is known

    /// What is known about the network around, now.
    public var environment: NATEnvironment {
        get async {
            NATEnvironment(
                listenAddresses: self.swarm.listenAddresses, announcedAddresses: self.swarm.announcedAddresses, reachability: self.reachability.snapshot,
                portMapping: await self.portMapper?.status, relayAddresses: self.state.withLock { $0.relayAddresses },
                relayService: self.relayService.statistics, network: self.network, udp: self.state.withLock { $0.udpBehavior },
                udpProblem: self.state.withLock { $0.udpProblem }, signaling: self.signaling)
        }
    }

    /// Yields when something in ``environment`` changed.
    public var environmentChanges: AsyncStream<Void> { self.changes.subscribe() }

    /// What happens on the way to peers, from now on.
    public var events: AsyncStream<(PeerID, TraversalEvent)> { self.hub.subscribe() }

    /// What peers say about themselves, and what was seen of them.
    public var capabilities: CapabilityTable { self.state.withLock { $0.capabilities } }

    /// How the connection to `peer` goes that new streams use; nil if it isn't connected.
    public func path(of peer: PeerID) -> ConnectionPath? {
        guard let connection = self.swarm.connection(to: peer) else { return nil }
        let (known, record) = self.state.withLock { ($0.methods[peer], $0.capabilities.record(of: peer, now: WallClock.nowMilliseconds)) }
        let address = connection.remoteAddress
        // Only the dialer knows the address that the peer listens on.
        let origin = connection.role == .dialer ? record?.origin(of: address) : nil
        var method = LadderPlan.method(of: address, capabilities: connection.role == .dialer ? record : nil, policy: self.configuration.addressPolicy)
        if let known, known.isPunch, !connection.isRelayed { method = known }
        return ConnectionPath(method: method, address: address, origin: origin)
    }

    var network: NetworkFingerprint {
        NetworkFingerprint(
            external: self.reachability.snapshot.addresses.map(\.external).filter { $0.basis >= .observed }.map(\.address),
            interfaces: self.swarm.listenAddresses)
    }

    /// Where a peer should aim that dials at the same time: what others saw, with the port that the NAT shows.
    ///
    /// A single observer is enough, such as the relay that carries the connection: whoever has said something wrong makes one punch fail, where
    /// an address that is announced would mislead everybody. rust-libp2p does the same with what identify reports (`NewExternalAddrCandidate`).
    static func punchAddresses(_ snapshot: ReachabilitySnapshot, listening: [Multiaddr]) -> [Multiaddr] {
        let proven = snapshot.addresses.filter { $0.external.basis != .guessed }.map(\.external.address)
        let seen = snapshot.tcpMapping.evidence.map(\.external)
        let guessed = snapshot.addresses.filter { $0.external.basis == .guessed }.map(\.external.address)
        var addresses: [Multiaddr] = []
        for address in proven + seen + guessed + listening where !addresses.contains(address) { addresses.append(address) }
        return addresses
    }
}

extension Swarm: ConnectionProtector {}
