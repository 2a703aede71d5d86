public import DIGAvailability
public import DIGContent
import DIGCircuitRelay
import DIGDNS
public import DIGIdentity
public import DIGLocalDiscovery
public import DIGMultiformats
public import DIGNet
import DIGPortMapping
public import DIGStorage
public import DIGSwarm
import DIGTCP
public import DIGTransfer
public import DIGTraversal
import DIGWebSocket
public import DIGUDP
public import Logging
public import NIOCore
import NIOPosix
public import ServiceLifecycle
import Synchronization

/// The network side of a node: identity, connections, discovery, and the host that answers peers.
///
/// `FileHost` and `FileClient` stand on one of these, and may share it:
///
///     let network = try NetworkManager(configuration: .init(dataDirectory: path), logger: logger)
///     try await network.start()
///     let connection = try await network.connect(to: peer, addresses: addresses)
///     await network.stop()
public final class NetworkManager: Service, Sendable {
    /// As given to the initializer.
    public let configuration: NodeConfiguration
    /// The key that peers know this node by. Another than that of the key file if a second process uses the same data directory.
    public let identity: KeyPair
    /// Listens, dials, and routes streams: the lower level, for protocols of one's own.
    public let swarm: Swarm
    /// How this node finds peers and is found: the whitepaper's `getDiscoveryManager()`.
    public let discovery: NodeDiscovery
    /// Finds peers on the same network. Nil if switched off.
    public var localDiscovery: LocalDiscovery? { self.discovery.local }
    /// Limits all uploads together; its rate may be changed at any time.
    public let uploadLimiter: RateLimiter
    /// Limits all downloads together; its rate may be changed at any time.
    public let downloadLimiter: RateLimiter
    /// Answers peers who ask for contents.
    public let transferHost: TransferHost
    /// Reaches peers behind NATs, makes this node reachable, and knows what kind of network it is in.
    public let traversal: NATTraversalManager
    /// Who really has what: whom to believe, and what was signed about it.
    public var availability: ContentAvailabilityManager { self.nodeAvailability.manager }
    let nodeAvailability: NodeAvailability
    /// Whom this node serves, and what it proves to others.
    public let access: NodeAccess
    private let capabilityGossip: CapabilityGossip?
    /// What the node remembers: shared contents, unfinished transfers, peers.
    public let database: NodeDatabase
    /// What peers gave and how often they failed, over all fetches.
    public var peers: PeerStore { PeerStore(database: self.database) }

    /// Dials peers that ask whether they can be reached. Has a key of its own and no streams of ours.
    private let dialBacks: Swarm
    let shared: SharedContentStore
    let contents: ContentRegistry
    let threadPool: NIOThreadPool
    let logger: Logger
    let hostEvents: HostEventHub
    private let identityLock: IdentityLock?
    private let group: any EventLoopGroup
    private let boundUDP = Mutex<UDPEndpoint?>(nil)
    /// What runs between ``start()`` and ``stop()``.
    private let tasks = Mutex<[Task<Void, any Error>]>([])

    /// Opens the database and the key; listens nowhere yet.
    ///
    /// - Parameters:
    ///   - transports: What connections are made of, beside circuits through relays. Nil: TCP and WebSocket.
    ///   - group: The event loops for all connections. Nil: the process-wide ones.
    /// - Throws: ``NodeError`` with `.directoryUnusable`, `IdentityError` about the key file, `WebSocketError` about the TLS certificate, or `StorageError`
    ///   about the database.
    public init(
        configuration: NodeConfiguration, transports: [any Transport]? = nil, group: (any EventLoopGroup)? = nil,
        logger: Logger = .silent
    ) throws {
        let group = group ?? MultiThreadedEventLoopGroup.singleton
        self.group = group
        self.configuration = configuration
        self.logger = logger
        self.threadPool = .singleton
        self.database = try NodeDatabase(directory: configuration.dataDirectory)
        let ownKey: KeyPair
        switch configuration.identity {
        case .file(let path):
            let stored = try KeyFile(path: path).loadOrCreate()
            ownKey = stored
            self.identityLock = IdentityLock(directory: configuration.dataDirectory)
            if self.identityLock == nil {
                logger.info("another process uses this node's key; this one takes a temporary key")
            }
            self.identity = self.identityLock == nil ? try KeyPair.generate() : stored
        case .keyPair(let keyPair):
            self.identityLock = nil
            self.identity = keyPair
            ownKey = keyPair
        }

        var circuits = CircuitRelayTransportConfiguration()
        circuits.addressPolicy = configuration.traversal.addressPolicy
        let circuitTransport = CircuitRelayTransport(configuration: circuits, logger: logger)
        var swarmConfiguration = configuration.swarm
        swarmConfiguration.addressPolicy = configuration.traversal.addressPolicy
        let transports = try transports ?? [TCPTransport(group: group), WebSocketTransport(group: group, configuration: configuration.webSocket)]
        // Dial-backs go where peers say, and need no names.
        let dialBackConfiguration = swarmConfiguration
        if swarmConfiguration.addressResolver == nil { swarmConfiguration.addressResolver = DNSAddressResolver() }
        let swarm = Swarm(
            identity: self.identity, transports: transports + [circuitTransport], group: group,
            configuration: swarmConfiguration, logger: logger)
        self.swarm = swarm
        self.dialBacks = Swarm(
            identity: try KeyPair.generate(), transports: transports, group: group, configuration: dialBackConfiguration,
            logger: logger)
        let local =
            configuration.localDiscovery
            ? LocalDiscovery(
                identity: self.identity.peerID, addresses: { swarm.listenAddresses }, configuration: configuration.multicast, group: group, logger: logger)
            : nil
        self.discovery = try NodeDiscovery(
            swarm: swarm, identity: self.identity, configuration: configuration.discovery, contentLifetime: configuration.availability.contentLifetime,
            reannounceInterval: configuration.availability.reannounceInterval, addressPolicy: configuration.traversal.addressPolicy, local: local,
            database: self.database, group: group, logger: logger)
        self.traversal = NATTraversalManager(
            swarm: swarm, circuits: circuitTransport, dialBacks: self.dialBacks, identity: self.identity, store: SQLiteAttemptStore(database: self.database),
            signaling: self.discovery.signaling,
            configuration: configuration.traversal, group: group, logger: logger)
        self.capabilityGossip = try CapabilityGossip(self.discovery.gossip, traversal: self.traversal, logger: logger)

        self.uploadLimiter = RateLimiter(bytesPerSecond: configuration.uploadRate)
        self.downloadLimiter = RateLimiter(bytesPerSecond: configuration.downloadRate)
        let events = HostEventHub()
        self.hostEvents = events
        self.shared = SharedContentStore(database: self.database)
        let changed = AsyncStream.makeStream(of: ContentHash.self, bufferingPolicy: .bufferingNewest(1_024))
        self.contents = ContentRegistry(shared: self.shared) {
            events.emit(.contentChanged($0))
            changed.continuation.yield($0)
        }
        self.access = NodeAccess(
            identity: self.identity, ownKey: ownKey, policy: configuration.access, configuration: configuration.authentication, database: self.database,
            logger: logger)
        self.transferHost = TransferHost(
            provider: self.contents, gate: self.access.host, configuration: configuration.transferHost, threadPool: self.threadPool, uploadLimiter: self.uploadLimiter, logger: logger,
            sessionEnded: { events.emit(.sessionEnded($0, byteCounts: $1)) })
        self.nodeAvailability = NodeAvailability(
            swarm: swarm, identity: self.identity, traversal: self.traversal, discovery: self.discovery, contents: self.contents, changedContents: changed.stream,
            database: self.database, configuration: configuration, logger: logger)
        self.nodeAvailability.setAuthenticator(self.access)
    }

    // MARK: Life cycle

    /// Listens and takes part in discovery until the task is cancelled or a graceful shutdown begins.
    public func run() async throws {
        try await self.start()
        do {
            try await gracefulShutdown()
        } catch is CancellationError {
            // The other way to end.
        }
        await self.stop()
    }

    /// Listens at the configured addresses, answers peers, and takes part in discovery.
    ///
    /// - Throws: ``NodeError`` with `.cannotListen` if addresses are configured and none can be bound.
    public func start() async throws {
        if !self.configuration.listen.isEmpty {
            do {
                _ = try await self.swarm.listen(on: self.configuration.listen)
            } catch {
                throw NodeError(.cannotListen, "no address can be listened on; is the port taken? Choose another with --listen", cause: error)
            }
        }
        await self.bindUDP()
        self.access.register(on: self.swarm, transferHost: self.transferHost)
        self.transferHost.register(on: self.swarm)
        var parts: [(String, any Service)] = [("NAT traversal", self.traversal)] + self.discovery.parts
        if let gossip = self.capabilityGossip { parts.append(("gossip of capabilities", gossip)) }
        parts.append(("who really has what", self.nodeAvailability))
        parts.append(("authenticated hosting", self.access))
        // Before anything connects, so that nobody is missed.
        let (events, changes) = (self.swarm.events, self.traversal.environmentChanges)
        let logger = self.logger
        self.tasks.withLock { tasks in
            tasks.append(Task { await self.tellDiscovery(events, changes) })
            for (name, part) in parts {
                tasks.append(
                    Task {
                        do {
                            try await part.run()
                        } catch is CancellationError {
                        } catch {
                            // Links with addresses that can be dialed still work without it.
                            logger.info("a part of the node is off", metadata: ["dig.node.part": "\(name)", "dig.node.error": "\(error)"])
                        }
                    })
            }
        }
    }

    /// How long others have to be told that nothing is to be had here any more.
    private static let farewell: Duration = .seconds(2)

    /// Withdraws what is announced, says goodbye to every peer and closes everything. Nothing can be opened afterwards.
    public func stop() async {
        // Of its own: whoever stops has often been cancelled.
        await Task { await self.sayFarewell() }.value
        let tasks = self.tasks.withLock { tasks in
            defer { tasks = [] }
            return tasks
        }
        for task in tasks { task.cancel() }
        for task in tasks { _ = await task.result }
        self.transferHost.unregister(from: self.swarm)
        self.access.unregister(from: self.swarm)
        await self.dialBacks.shutdown()
        await self.swarm.shutdown()
        let udp = self.boundUDP.withLock { endpoint in
            defer { endpoint = nil }
            return endpoint
        }
        await udp?.close()
        self.hostEvents.finish()
    }

    /// Hands on who is connected and how this node can be reached, until the task is cancelled.
    private func tellDiscovery(_ events: SwarmEvents, _ changes: AsyncStream<Void>) async {
        let moved = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await event in events {
                    self.discovery.handle(event)
                    self.nodeAvailability.handle(event)
                    if case .listenAddressesChanged = event { moved.continuation.yield() }
                }
            }
            group.addTask {
                for await _ in moved.stream {
                    // Addresses come in flocks.
                    do { try await Task.sleep(for: Self.addressPatience) } catch { return }
                    self.discovery.addressesChanged()
                }
            }
            group.addTask {
                self.discovery.setReachable(await self.traversal.environment.tier == .directCapable)
                for await _ in changes { self.discovery.setReachable(await self.traversal.environment.tier == .directCapable) }
            }
        }
    }

    private static let addressPatience: Duration = .seconds(1)

    private func sayFarewell() async {
        await withTimeout(Self.farewell) {
            async let told: Void = self.nodeAvailability.settle()
            await self.discovery.manager.withdrawAll()
            await told
        }
    }

    // MARK: UDP

    /// The node's UDP port, with the number of its first TCP port where that is free; nil while the node does not run or listens nowhere.
    public var udp: UDPEndpoint? { self.boundUDP.withLock { $0 } }

    /// Binds the UDP port. Without one the node works too.
    private func bindUDP() async {
        guard let first = self.swarm.listenAddresses.lazy.compactMap(\.tcpPort).first else { return }
        var hosts: [SocketAddress] = []
        for address in self.configuration.listen {
            guard let host = address.socketAddress(port: Int(first)), !hosts.contains(host) else { continue }
            hosts.append(host)
        }
        guard !hosts.isEmpty else { return }
        do {
            let endpoint = try await UDPEndpoint.bind(hosts, group: self.group)
            self.boundUDP.withLock { $0 = endpoint }
            self.traversal.attach(endpoint, servesSTUN: true)
        } catch {
            self.logger.info("the UDP port is not free", metadata: ["dig.node.port": "\(first)", "dig.node.error": "\(error)"])
            guard !self.configuration.traversal.stunServers.isEmpty else { return }
            await self.bindAnyUDP(hosts)
        }
    }

    /// Another port tells what the NAT does as well, but nobody knows to ask there.
    private func bindAnyUDP(_ hosts: [SocketAddress]) async {
        do {
            let endpoint = try await UDPEndpoint.bind(
                hosts.map { host in
                    var host = host
                    host.port = 0
                    return host
                }, group: self.group)
            self.boundUDP.withLock { $0 = endpoint }
            self.traversal.attach(endpoint, servesSTUN: false)
        } catch {
            self.logger.info("no UDP port can be bound", metadata: ["dig.node.error": "\(error)"])
        }
    }

    // MARK: Connections

    /// Where this node can be reached, each with its peer id: what goes into links.
    public var addresses: [Multiaddr] {
        self.swarm.announcedAddresses.map { $0.withPeerID(self.identity.peerID) }
    }

    /// Waits until it is known how this node can be reached from outside: at an address that somebody got through to, at a port that the router
    /// opened, through a relay, or not at all. At most for `duration`.
    ///
    /// - Returns: Whether it can be reached.
    @discardableResult
    public func waitForAddresses(atMost duration: Duration) async -> Bool {
        let changes = self.traversal.environmentChanges
        await withTimeout(duration) {
            if await self.isReachableFromOutside { return }
            if self.configuration.traversal.relays.isEmpty {
                // Only the router could help.
                guard let status = await self.traversal.portMappingWhenSearched(atMost: duration), status.mayMap else { return }
            }
            for await _ in changes {
                if await self.isReachableFromOutside { return }
                let status = await self.traversal.environment.portMapping
                if self.configuration.traversal.relays.isEmpty, status?.mayMap != true { return }
            }
        }
        return await self.isReachableFromOutside
    }

    /// Whether there is an address for peers that are not on the same network.
    public var isReachableFromOutside: Bool {
        get async {
            let environment = await self.traversal.environment
            if environment.tier == .directCapable || !environment.relayAddresses.isEmpty { return true }
            if environment.portMapping?.mappings.contains(where: \.isPublic) == true { return true }
            // With nobody to ask, an address of the internet has to do.
            let policy = self.configuration.traversal.addressPolicy
            return self.configuration.traversal.relays.isEmpty && self.swarm.announcedAddresses.contains(where: policy.isPublic)
        }
    }

    /// Connects to somebody who holds a content: asks `peers`, who is connected already and who is on the local network, and returns the
    /// connection to the first that says it does.
    ///
    /// - Parameters:
    ///   - peers: Addresses with peer ids, such as those of a link.
    ///   - timeout: How long to look. Less if everybody was asked and discovery is off.
    /// - Throws: ``NodeError`` with `.notFound` if nobody was heard of, or `.unreachable` with what came of each.
    public func connect(toHolderOf hash: ContentHash, peers: [Multiaddr] = [], timeout: Duration = .seconds(15)) async throws -> any Connection {
        let holders = HolderRelay()
        let search = HolderDialer(network: self, link: peers, holding: hash, asksConnectedPeers: true, believesLink: false) { holders.add($0) }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await search.run() }
            group.addTask { _ = await holders.first(within: timeout) }
            await group.next()
            group.cancelAll()
        }
        if let connection = holders.current { return connection }
        try Task.checkCancellation()
        let log = search.log
        guard !log.isEmpty else { throw NodeError(.notFound, "nobody is known who could hold \(hash)\(log.silence)") }
        throw NodeError(.unreachable, "no holder of \(hash) could be reached\(log.list)")
    }

    /// Connects to a peer by whatever method works, or returns the connection there is. A relayed one may be replaced by a direct one later:
    /// `SwarmEvent.upgraded` tells.
    ///
    /// - Throws: `TraversalError`, with what each method did.
    public func connect(to peer: PeerID, addresses: [Multiaddr]) async throws -> any Connection {
        try await self.traversal.connect(to: peer, addresses: addresses).connection
    }
}

extension PortMapperStatus {
    /// Whether some router speaks a protocol and has not refused yet.
    fileprivate var mayMap: Bool {
        self.gateways.contains { gateway in
            gateway.findings.contains { $0.outcome == .available } && gateway.failures.isEmpty && !gateway.isDoubleNAT
        }
    }
}

extension Multiaddr {
    var tcpPort: UInt16? {
        for case .tcp(let port) in self.components { return port }
        return nil
    }

    /// The IP address with another port; nil if there is none, or if it needs a zone.
    fileprivate func socketAddress(port: Int) -> SocketAddress? {
        switch self.components.first {
        case .ip4(let ip): Self.socketAddress("\(ip)", port)
        case .ip6(let ip): Self.socketAddress("\(ip)", port)
        default: nil
        }
    }

    private static func socketAddress(_ ip: String, _ port: Int) -> SocketAddress? {
        // Fails for what is no IP address only.
        try? SocketAddress(ipAddress: ip, port: port)
    }
}
