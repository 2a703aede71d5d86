public import Logging
public import NIOCore
public import ServiceLifecycle
import DIGNet
import Synchronization

/// Opens ports of the gateway, keeps them open, and closes them at the end: by PCP (RFC 6887), NAT-PMP (RFC 6886) or UPnP-IGD 1 and 2.
///
/// Add what is to be mapped, before or while ``run()`` runs, and read ``events``. Each request gets an IPv4 mapping and, by PCP, a hole in an IPv6 firewall,
/// as far as the machine has gateways. Gateways that come, go, restart or change their address are noticed; see ``PortMapperConfiguration`` for how soon.
public actor PortMapper: Service {
    private let configuration: PortMapperConfiguration
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let refusals: RefusalLog
    /// Of this run: its readers' streams end with it.
    private nonisolated let broadcast: Mutex<EventBroadcast<PortMapperEvent>>
    /// Whose announcement was heard and not yet looked at.
    private nonisolated let announcement = Mutex<IPAddress?>(nil)

    private var isRunning = false
    private var requests: [PortMapping.ID: PortMapping.Request] = [:]
    private var nextID: UInt64 = 0
    private var sites: [AddressFamily: Site] = [:]
    private var nextSite: UInt64 = 0
    /// Started, but not yet in the task group.
    private var startable: [StartableOperation] = []
    private var wake: AsyncStream<Void>.Continuation?
    private var timer: Scheduled<Void>?
    private var hasLookedForGateways = false
    private var hasReportedNoGateway = false

    /// A gateway in use.
    private struct Site {
        var number: UInt64
        var client: GatewayClient
        var session: MappingSession
    }

    private struct StartableOperation: Sendable {
        var family: AddressFamily
        var site: UInt64
        var id: GatewayOperation.ID
        var operation: GatewayOperation
        var client: GatewayClient
    }

    public init(configuration: PortMapperConfiguration = .init(), group: any EventLoopGroup, logger: Logger) {
        self.configuration = configuration
        self.eventLoop = group.next()
        self.logger = logger
        self.refusals = RefusalLog(logger, naming: "dig.portmap.gateway", level: .notice)
        self.broadcast = Mutex(EventBroadcast(bufferCount: configuration.eventBufferCount))
    }

    // MARK: API

    /// What happens from now on. Each access is a reader of its own; a slow one loses the oldest events. Ends when ``run()`` does.
    public nonisolated var events: AsyncStream<PortMapperEvent> { self.broadcast.withLock { $0 }.subscribe() }

    /// What is known at this moment.
    public var status: PortMapperStatus {
        var status = PortMapperStatus()
        status.isRunning = self.isRunning
        status.hasLookedForGateways = self.hasLookedForGateways
        for family in AddressFamily.allCases {
            guard let site = self.sites[family] else { continue }
            status.gateways.append(site.session.status)
            status.mappings += site.session.mappings
        }
        return status
    }

    /// The status as soon as it is known which protocols the gateways speak, or that there is no gateway. ``run()`` has to run, or start soon.
    ///
    /// - Parameter timeout: When to return what is known by then.
    public func statusWhenSearched(timeout: Duration = .seconds(12)) async -> PortMapperStatus {
        let events = self.events
        if !self.isRunning || !self.hasLookedForGateways || self.status.isSearching {
            await withTimeout(timeout) {
                for await event in events {
                    switch event {
                    case .noGateway: return
                    case .found: if await !self.status.isSearching { return }
                    default: continue
                    }
                }
            }
        }
        return self.status
    }

    /// The mappings that are held.
    public var mappings: [PortMapping] { self.status.mappings }

    /// Asks for a mapping. It is made while ``run()`` runs, and made again when it is lost, until ``remove(_:)``.
    ///
    /// - Throws: ``PortMappingError`` with `.invalidRequest` for port 0, `.tooManyRequests`.
    @discardableResult
    public func add(_ request: PortMapping.Request) throws(PortMappingError) -> PortMapping.ID {
        guard request.internalPort != 0, !request.requiresExternalPort || request.suggestedExternalPort != 0 else {
            throw PortMappingError(.invalidRequest, "port 0 cannot be mapped")
        }
        guard self.requests.count < self.configuration.maximumRequestCount else {
            throw PortMappingError(.tooManyRequests, "\(self.requests.count) mappings are asked for already")
        }
        let id = PortMapping.ID(rawValue: self.nextID)
        self.nextID += 1
        self.requests[id] = request
        for family in self.sites.keys { self.add(id, request, to: family) }
        self.wake?.yield()
        return id
    }

    /// Takes a request back; its mappings are deleted at the gateway soon. An unknown one is ignored.
    public func remove(_ id: PortMapping.ID) {
        guard self.requests.removeValue(forKey: id) != nil else { return }
        for family in self.sites.keys { self.sites[family]?.session.remove(id) }
        self.wake?.yield()
    }

    /// Makes one mapping by UPnP and says whether that worked. ``run()`` has to run, or start soon; it keeps the mapping alive and deletes it at the end.
    ///
    /// - Parameters:
    ///   - externalPort: Only this one will do.
    /// - Returns: Whether others reach `internalPort` at `externalPort` of the gateway now; ``events`` and ``status`` name its address, and the reason if not.
    public func createUPnPMapping(
        internalPort: UInt16, externalPort: UInt16, protocol: PortMapping.TransportProtocol, description: String = "dig-nat-tools"
    ) async -> Bool {
        let events = self.events
        let request = PortMapping.Request(
            protocol: `protocol`, internalPort: internalPort, suggestedExternalPort: externalPort, requiresExternalPort: true, description: description,
            methods: [.upnp])
        let id: PortMapping.ID
        do { id = try self.add(request) } catch { return false }
        if self.hasLookedForGateways, self.sites[.ip4] == nil {
            self.remove(id)
            return false
        }
        // Searching, a few requests, and a start of `run()` in between.
        let timeout = self.configuration.searchTimeout + self.configuration.requestTimeout * 4
        let isMapped = await withTimeout(timeout) {
            for await event in events {
                switch event {
                case .mapped(let mapping) where mapping.id == id: return true
                case .failed(let failure) where failure.id == id && failure.family == .ip4: return false
                case .noGateway: return false
                default: continue
                }
            }
            return false
        } ?? false
        if !isMapped { self.remove(id) }
        return isMapped
    }

    /// Finds gateways and keeps the mappings until cancelled or shut down gracefully; then deletes them, which takes no longer than
    /// ``PortMapperConfiguration/exitTimeout``, and ends all ``events``.
    ///
    /// - Throws: ``PortMappingError`` with `.alreadyRunning`.
    public func run() async throws {
        guard !self.isRunning else { throw PortMappingError(.alreadyRunning, "the port mapper is running already") }
        self.isRunning = true
        let (wakeUps, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.wake = wake
        let announcements = await self.listenForAnnouncements(wake)
        wake.yield()
        var deletions: [(GatewayClient, GatewayOperation)] = []
        await withTaskCancellationOrGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                var refreshAt = ContinuousClock.now
                for await _ in wakeUps {
                    if .now >= refreshAt {
                        refreshAt = .now + self.configuration.refreshInterval
                        await self.refreshGateways()
                    }
                    self.hearAnnouncement()
                    for family in AddressFamily.allCases { self.sites[family]?.session.deadlineReached(now: .now) }
                    self.drain()
                    for start in self.startable {
                        group.addTask {
                            let result = await start.client.perform(start.operation)
                            await self.completed(start, result)
                        }
                    }
                    self.startable.removeAll()
                    self.schedule(refreshAt: refreshAt)
                }
                deletions = self.stopSessions()
                group.cancelAll()
            }
        } onCancelOrGracefulShutdown: {
            wake.finish()
        }
        self.timer?.cancel()
        self.wake = nil
        await self.perform(deletions)
        if let announcements { try? await announcements.close() }
        self.hasLookedForGateways = false
        self.hasReportedNoGateway = false
        self.isRunning = false
        let next = EventBroadcast<PortMapperEvent>(bufferCount: self.configuration.eventBufferCount)
        let ended = self.broadcast.withLock { broadcast in
            defer { broadcast = next }
            return broadcast
        }
        ended.finish()
    }

    // MARK: Sessions

    private func add(_ id: PortMapping.ID, _ request: PortMapping.Request, to family: AddressFamily) {
        // RFC 6887 §11.2: unguessable.
        var generator = SystemRandomNumberGenerator()
        self.sites[family]?.session.add(id, request, nonce: PCPNonce(using: &generator), now: .now)
    }

    private func completed(_ start: StartableOperation, _ result: Result<GatewayOperation.Outcome, PortMappingError>) {
        guard self.sites[start.family]?.number == start.site else { return }
        self.sites[start.family]?.session.completed(start.id, result, now: .now)
        self.wake?.yield()
    }

    private func hearAnnouncement() {
        let source = self.announcement.withLock { source in
            defer { source = nil }
            return source
        }
        guard let source, self.sites[source.family]?.client.gateway.address == source else { return }
        self.sites[source.family]?.session.announced(now: .now)
    }

    private func drain() {
        for family in AddressFamily.allCases {
            while let site = self.sites[family], let output = self.sites[family]?.session.poll() {
                switch output {
                case .report(let event): self.publish(event)
                case .start(let id, let operation):
                    self.startable.append(StartableOperation(family: family, site: site.number, id: id, operation: operation, client: site.client))
                }
            }
        }
    }

    private func publish(_ event: PortMapperEvent) {
        switch event {
        case .doubleNAT(let external):
            self.logger.info("the gateway is behind another NAT: port mappings do not make this machine reachable", metadata: ["dig.portmap.external": "\(external)"])
        default:
            self.logger.debug("port mapping", metadata: ["dig.portmap.event": "\(event)"])
        }
        self.broadcast.withLock { $0 }.emit(event)
    }

    /// Wakes the loop at the next deadline.
    private func schedule(refreshAt: ContinuousClock.Instant) {
        self.timer?.cancel()
        let deadline = self.sites.values.compactMap(\.session.deadline).min().map { min($0, refreshAt) } ?? refreshAt
        guard let wake = self.wake else { return }
        // Never at once: a deadline that does not move would keep the loop busy.
        self.timer = self.eventLoop.scheduleTask(in: max(.milliseconds(5), TimeAmount(deadline - .now))) { wake.yield() }
    }

    private func refreshGateways() async {
        let gateways: [Gateway]
        do {
            gateways = try await GatewayDetector.detect(self.configuration, on: self.eventLoop).get()
        } catch {
            self.logger.debug("gateways cannot be looked up", metadata: ["dig.portmap.error": "\(error)"])
            return
        }
        for family in AddressFamily.allCases {
            let gateway = gateways.first { $0.family == family }
            guard self.sites[family]?.client.gateway != gateway else { continue }
            self.sites[family]?.session.abandon()
            self.drain()
            self.sites[family] = nil
            guard let gateway else { continue }
            self.sites[family] = Site(
                number: self.nextSite, client: self.client(of: gateway), session: MappingSession(gateway: gateway, configuration: self.configuration, now: .now))
            self.nextSite += 1
            self.publish(.gatewayFound(gateway.multiaddr))
            for (id, request) in self.requests.sorted(by: { $0.key.rawValue < $1.key.rawValue }) { self.add(id, request, to: family) }
        }
        self.hasLookedForGateways = true
        if !self.sites.isEmpty {
            self.hasReportedNoGateway = false
        } else if !self.hasReportedNoGateway {
            self.hasReportedNoGateway = true
            self.publish(.noGateway)
        }
    }

    private func client(of gateway: Gateway) -> GatewayClient {
        GatewayClient(gateway: gateway, configuration: self.configuration, eventLoop: self.eventLoop, logger: self.logger, refusals: self.refusals)
    }

    private func listenForAnnouncements(_ wake: AsyncStream<Void>.Continuation) async -> (any Channel)? {
        guard self.configuration.listensForAnnouncements, self.configuration.families.contains(.ip4) else { return nil }
        do {
            return try await AnnouncementListener.open(on: self.eventLoop) { [weak self] source in
                self?.announcement.withLock { $0 = source }
                wake.yield()
            }.get()
        } catch {
            // Somebody else has the port. Checks notice a restart too.
            self.logger.debug("announcements of gateways are not heard", metadata: ["dig.portmap.error": "\(error)"])
            return nil
        }
    }

    // MARK: End

    private func stopSessions() -> [(GatewayClient, GatewayOperation)] {
        var deletions: [(GatewayClient, GatewayOperation)] = []
        for family in AddressFamily.allCases {
            guard let client = self.sites[family]?.client else { continue }
            deletions += (self.sites[family]?.session.stop() ?? []).map { (client, $0) }
        }
        self.drain()
        self.startable.removeAll()
        self.sites.removeAll()
        return deletions
    }

    /// Deletes, in a task of its own: this one may be cancelled.
    private func perform(_ deletions: [(GatewayClient, GatewayOperation)]) async {
        guard !deletions.isEmpty else { return }
        let timeout = self.configuration.exitTimeout
        _ = await Task {
            await withTimeout(timeout) {
                await withDiscardingTaskGroup { group in
                    for (client, operation) in deletions { group.addTask { _ = await client.perform(operation) } }
                }
            }
        }.value
    }
}
