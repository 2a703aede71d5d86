import DIGMultiformats
import DIGNet

/// The mappings at one gateway: which protocol makes them, when they are renewed, what happens when the gateway forgets.
///
/// ```
/// choosing ──protocol found──▶ requesting ──granted──▶ held ──half its life over, gateway restarted──▶ renewing ──granted──▶ held
///    ▲                            │ refused: next protocol    │ not in the table, expired, refused          │
///    └──────── waiting ◀──────────┘ none left                 └──▶ choosing                               ◀─┘
/// ```
///
/// A value without a socket or a clock. After any call drain ``poll()``; call ``deadlineReached(now:)`` when ``deadline`` passes. Each operation that is
/// started is reported back with ``completed(_:_:now:)`` once; for one that the session does not know, that is harmless.
struct MappingSession {
    typealias Instant = ContinuousClock.Instant
    typealias OperationID = GatewayOperation.ID
    typealias Order = GatewayOperation.MappingOrder

    enum Output: Hashable {
        case start(OperationID, GatewayOperation)
        case report(PortMapperEvent)
    }

    /// Ours: a lifetime beyond this counts as this, so that a mapping that its gateway forgot is noticed (RFC 6887 §15 has the same limit).
    static let maximumLifetimeSeconds: UInt32 = 86400
    /// Ours: a permanent mapping is written again this often.
    static let permanentRenewalInterval: Duration = .seconds(3600)
    /// Ours: so many checks in a row without an answer, and the protocol is looked for again: a rebooted router may use other ports.
    static let maximumMissedCheckCount = 2
    /// Ours: the shortest time between two checks that announcements cause.
    static let minimumCheckInterval: Duration = .seconds(1)
    /// Ours: a gateway restarts no more often than this.
    static let minimumRestartInterval: Duration = .seconds(3)

    private enum MethodState {
        case probing(since: Instant)
        case available(UPnPService?)
        case unavailable
    }

    private struct Holding {
        var mapping: PortMapping
        var externalAddress: IPAddress
        var externalPort: UInt16
        var service: UPnPService?
        var renewAt: Instant
        /// nil for a permanent mapping.
        var expiresAt: Instant?
    }

    private enum LeaseState {
        case choosing
        case requesting(PortMapping.Method, OperationID)
        case held(Holding)
        case renewing(Holding, OperationID)
        case waiting(until: Instant)
    }

    private struct Lease {
        var request: PortMapping.Request
        var nonce: PCPNonce
        var state = LeaseState.choosing
        /// Of this round.
        var attempts: [PortMapping.Attempt] = []
        var failedRoundCount = 0
        /// The port of the last grant, or the one suggested.
        var externalPort: UInt16
        var externalAddress: IPAddress?

        var holding: Holding? {
            switch self.state {
            case .held(let holding), .renewing(let holding, _): holding
            case .choosing, .requesting, .waiting: nil
            }
        }
    }

    let gateway: Gateway
    private let configuration: PortMapperConfiguration
    /// In order of preference.
    private let methods: [PortMapping.Method]
    private var methodStates: [PortMapping.Method: MethodState] = [:]
    private var findings: [PortMapping.Method: PortMapperStatus.Finding] = [:]
    private var reportedOutcomes: [PortMapping.Method: PortMapperStatus.Finding.Outcome] = [:]
    private var epochs: [PortMapping.Method: EpochTracker] = [.natpmp: .natpmp(), .pcp: .pcp()]
    private var missedChecks: [PortMapping.Method: Int] = [:]
    private var leases: [PortMapping.ID: Lease] = [:]
    private var operations: [OperationID: GatewayOperation] = [:]
    private var nextOperation: UInt64 = 0
    /// What is being deleted on request.
    private var removals: [OperationID: PortMapping] = [:]
    /// Until when a better protocol is waited for; nil before any has answered.
    private var graceEndsAt: Instant?
    private var nextCheckAt: Instant
    private var lastCheckAt: Instant
    /// Whether anything was ever mapped: the first check is an interval after that.
    private var hasHeld = false
    private var lastRestartAt: Instant?
    private(set) var externalAddress: IPAddress?
    private var reportedDoubleNAT: IPAddress?
    private var outputs: [Output] = []

    init(gateway: Gateway, configuration: PortMapperConfiguration, now: Instant) {
        self.gateway = gateway
        self.configuration = configuration
        // NAT-PMP and UPnP port mappings are for IPv4.
        var seen = Set<PortMapping.Method>()
        self.methods = configuration.methods.filter { seen.insert($0).inserted && (gateway.family == .ip4 || $0 == .pcp) }
        self.nextCheckAt = now + configuration.checkInterval
        self.lastCheckAt = now
        for method in self.methods { self.probe(method, now: now) }
    }

    // MARK: Inputs

    mutating func add(_ id: PortMapping.ID, _ request: PortMapping.Request, nonce: PCPNonce, now: Instant) {
        guard self.leases[id] == nil else { return }
        self.leases[id] = Lease(request: request, nonce: nonce, externalPort: request.suggestedExternalPort)
        self.advance(now: now)
    }

    /// Forgets a request, and deletes its mapping at the gateway.
    mutating func remove(_ id: PortMapping.ID) {
        guard let lease = self.leases.removeValue(forKey: id), let holding = lease.holding else { return }
        let operation = self.start(.unmap(self.order(id, lease, holding.mapping.method, holding.service, externalPort: holding.externalPort)))
        self.removals[operation] = holding.mapping
    }

    /// The end: what has to be deleted, deletions that run already among it, for the caller to perform without reporting back.
    mutating func stop() -> [GatewayOperation] {
        var deletions: [GatewayOperation] = []
        for (id, lease) in self.sortedLeases {
            switch lease.state {
            case .held(let holding), .renewing(let holding, _):
                deletions.append(.unmap(self.order(id, lease, holding.mapping.method, holding.service, externalPort: holding.externalPort)))
                self.outputs.append(.report(.removed(holding.mapping)))
            case .requesting(let method, _) where method != .upnp:
                // It may have been granted; these two delete by our own port, which hurts nobody.
                deletions.append(.unmap(self.order(id, lease, method, nil, externalPort: 0)))
            case .requesting, .choosing, .waiting:
                continue
            }
        }
        for (_, operation) in self.operations.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            if case .unmap = operation { deletions.append(operation) }
        }
        self.removals.removeAll()
        self.leases.removeAll()
        self.operations.removeAll()
        return deletions
    }

    /// The gateway is not ours any more: nothing can be deleted there.
    mutating func abandon() {
        for (_, lease) in self.sortedLeases {
            if let holding = lease.holding {
                self.outputs.append(.report(.lost(holding.mapping, PortMappingError(.gatewayChanged, "the machine does not use the gateway \(self.gateway) any more"))))
            }
        }
        self.leases.removeAll()
        self.operations.removeAll()
    }

    /// Something on the link says that the gateway has restarted. Anybody can say that: the gateway is asked.
    mutating func announced(now: Instant) {
        self.nextCheckAt = min(self.nextCheckAt, max(now, self.lastCheckAt + Self.minimumCheckInterval))
        self.deadlineReached(now: now)
    }

    mutating func deadlineReached(now: Instant) {
        for (id, lease) in self.sortedLeases {
            switch lease.state {
            case .held(let holding):
                if let expiresAt = holding.expiresAt, now >= expiresAt {
                    self.lose(id, holding, PortMappingError(.expired, "the gateway did not renew the mapping"), now: now)
                } else if now >= holding.renewAt {
                    self.renew(id)
                }
            case .renewing(let holding, _):
                if let expiresAt = holding.expiresAt, now >= expiresAt {
                    self.lose(id, holding, PortMappingError(.expired, "the gateway did not answer in time"), now: now)
                }
            case .waiting(let until) where now >= until:
                self.leases[id]?.attempts = []
                self.leases[id]?.state = .choosing
                self.probeAgain(now: now)
            case .waiting, .choosing, .requesting:
                continue
            }
        }
        if now >= self.nextCheckAt { self.check(now: now) }
        self.advance(now: now)
    }

    /// When ``deadlineReached(now:)`` has something to do.
    var deadline: Instant? {
        var deadlines: [Instant] = []
        var isHolding = false
        var isChoosing = false
        for lease in self.leases.values {
            switch lease.state {
            case .held(let holding):
                isHolding = true
                deadlines.append(min(holding.renewAt, holding.expiresAt ?? holding.renewAt))
            case .renewing(let holding, _):
                isHolding = true
                if let expiresAt = holding.expiresAt { deadlines.append(expiresAt) }
            case .waiting(let until): deadlines.append(until)
            case .choosing: isChoosing = true
            case .requesting: continue
            }
        }
        if isHolding { deadlines.append(self.nextCheckAt) }
        if isChoosing, let graceEndsAt { deadlines.append(graceEndsAt) }
        return deadlines.min()
    }

    mutating func completed(_ id: OperationID, _ result: Result<GatewayOperation.Outcome, PortMappingError>, now: Instant) {
        guard let operation = self.operations.removeValue(forKey: id) else { return }
        switch (operation, result) {
        case (.probe(let method), .success(.probed(let epoch, let address, let service))):
            self.probed(method, epoch: epoch, address: address, service: service, now: now)
        case (.probe(let method), .failure(let error)):
            self.conclude(method, .unavailable, error: error, now: now)
        case (.map(let order), .success(.mapped(let grant))):
            self.granted(order, id, grant, now: now)
        case (.map(let order), .failure(let error)):
            self.refused(order, id, error, now: now)
        case (.check(let method, _, _), .success(.checked(let epoch, let address, let missing))):
            self.checked(method, epoch: epoch, address: address, missing: missing, now: now)
        case (.check(let method, _, _), .failure):
            self.missedChecks[method, default: 0] += 1
        case (.unmap, _):
            // What could not be deleted expires.
            if let mapping = self.removals.removeValue(forKey: id) { self.outputs.append(.report(.removed(mapping))) }
        case (.probe, .success), (.map, .success), (.check, .success):
            preconditionFailure("an operation was answered with another's outcome")
        }
        self.advance(now: now)
    }

    /// What happened last; nil when nothing more has.
    mutating func poll() -> Output? {
        self.outputs.isEmpty ? nil : self.outputs.removeFirst()
    }

    var mappings: [PortMapping] {
        self.sortedLeases.compactMap { $0.value.holding?.mapping }
    }

    var status: PortMapperStatus.GatewayStatus {
        PortMapperStatus.GatewayStatus(
            family: self.gateway.family, address: self.gateway.multiaddr, interface: self.gateway.interface,
            externalAddress: self.externalAddress?.multiaddr,
            isDoubleNAT: self.externalAddress.map { !self.configuration.addressPolicy.isPublic($0.scope) } ?? false,
            findings: self.methods.compactMap { self.findings[$0] },
            failures: self.sortedLeases.compactMap { id, lease in
                guard case .waiting = lease.state else { return nil }
                return .init(id: id, request: lease.request, family: self.gateway.family, attempts: lease.attempts)
            })
    }

    // MARK: Protocols

    private mutating func probe(_ method: PortMapping.Method, now: Instant) {
        if case .probing = self.methodStates[method] { return }
        self.methodStates[method] = .probing(since: now)
        self.findings[method] = .init(method: method, outcome: .searching)
        self.start(.probe(method))
    }

    /// Another round: what was not there may have come.
    private mutating func probeAgain(now: Instant) {
        for method in self.methods {
            if case .unavailable = self.methodStates[method] { self.probe(method, now: now) }
        }
        self.graceEndsAt = self.methodStates.values.contains { if case .available = $0 { true } else { false } } ? now + self.configuration.preferenceDelay : nil
    }

    private mutating func conclude(
        _ method: PortMapping.Method, _ outcome: PortMapperStatus.Finding.Outcome, error: PortMappingError? = nil, service: UPnPService? = nil, now: Instant
    ) {
        var duration: Duration?
        if case .probing(let since) = self.methodStates[method] { duration = now - since }
        let finding = PortMapperStatus.Finding(
            method: method, outcome: outcome, duration: duration ?? self.findings[method]?.duration, error: error, device: service?.device)
        self.findings[method] = finding
        self.methodStates[method] = outcome == .available ? .available(service) : .unavailable
        if self.reportedOutcomes.updateValue(outcome, forKey: method) != outcome { self.outputs.append(.report(.found(finding, self.gateway.family))) }
    }

    private mutating func probed(_ method: PortMapping.Method, epoch: UInt32?, address: IPAddress?, service: UPnPService?, now: Instant) {
        self.conclude(method, .available, service: service, now: now)
        if self.graceEndsAt == nil { self.graceEndsAt = now + self.configuration.preferenceDelay }
        // Found again after silence: it may have been off, and its addresses may be others.
        let wasSilent = (self.missedChecks.removeValue(forKey: method) ?? 0) >= Self.maximumMissedCheckCount
        for (id, lease) in self.sortedLeases where wasSilent {
            guard var holding = lease.holding, holding.mapping.method == method else { continue }
            holding.service = service
            if case .renewing(_, let operation) = lease.state {
                self.leases[id]?.state = .renewing(holding, operation)
            } else {
                self.leases[id]?.state = .held(holding)
            }
        }
        self.observe(method, epoch: epoch, except: nil, mustRenew: wasSilent, now: now)
        if let address { self.note(address) }
    }

    private func service(for method: PortMapping.Method) -> UPnPService? {
        if case .available(let service) = self.methodStates[method] { service } else { nil }
    }

    /// A clock of the gateway's. One that says it has restarted renews all mappings of the protocol.
    private mutating func observe(_ method: PortMapping.Method, epoch: UInt32?, except: PortMapping.ID?, mustRenew: Bool = false, now: Instant) {
        let hasRestarted = epoch.map { self.epochs[method]?.received($0, now: now) ?? false } ?? false
        guard hasRestarted || mustRenew else { return }
        // A clock that runs wild must not make us spin.
        if let lastRestartAt, now - lastRestartAt < Self.minimumRestartInterval { return }
        self.lastRestartAt = now
        if hasRestarted { self.outputs.append(.report(.gatewayRestarted(method))) }
        for (id, lease) in self.sortedLeases where id != except {
            if case .held(let holding) = lease.state, holding.mapping.method == method { self.renew(id) }
        }
    }

    private mutating func check(now: Instant) {
        self.nextCheckAt = now + self.configuration.checkInterval
        self.lastCheckAt = now
        let running = self.operations.values.compactMap { if case .check(let method, _, _) = $0 { method } else { nil } }
        for method in self.methods where !running.contains(method) {
            let held = self.sortedLeases.filter { $0.value.holding?.mapping.method == method }
            guard !held.isEmpty else { continue }
            guard self.missedChecks[method, default: 0] < Self.maximumMissedCheckCount else {
                self.probe(method, now: now)
                continue
            }
            let orders = held.compactMap { id, lease in
                lease.holding.map { self.order(id, lease, method, $0.service, externalPort: $0.externalPort) }
            }
            self.start(.check(method, orders.first?.service, orders))
        }
    }

    private mutating func checked(_ method: PortMapping.Method, epoch: UInt32?, address: IPAddress?, missing: Set<PortMapping.ID>, now: Instant) {
        self.missedChecks[method] = nil
        self.observe(method, epoch: epoch, except: nil, now: now)
        for id in missing.sorted(by: { $0.rawValue < $1.rawValue }) {
            guard case .held(let holding) = self.leases[id]?.state, holding.mapping.method == method else { continue }
            self.lose(id, holding, PortMappingError(.removedByGateway, "the mapping is not in the gateway's table any more"), now: now)
        }
        guard let address, self.isPossible(address) else { return }
        for (id, lease) in self.sortedLeases {
            guard case .held(var holding) = lease.state, holding.mapping.method == method, holding.externalAddress != address else { continue }
            let old = holding.mapping
            holding.externalAddress = address
            holding.mapping = self.mapping(
                id, lease.request, method, address: address, port: holding.externalPort, internal: old.internal, lifetime: old.lifetime)
            self.leases[id]?.externalAddress = address
            self.leases[id]?.state = .held(holding)
            self.outputs.append(.report(.externalAddressChanged(from: old, to: holding.mapping)))
        }
        self.note(address)
    }

    // MARK: Mappings

    /// Gives each mapping that has none a protocol to try.
    private mutating func advance(now: Instant) {
        for (id, lease) in self.sortedLeases {
            guard case .choosing = lease.state else { continue }
            switch self.choice(for: lease, now: now) {
            case .use(let method):
                let service = self.service(for: method)
                let operation = self.start(.map(self.order(id, lease, method, service, externalPort: lease.externalPort)))
                self.leases[id]?.state = .requesting(method, operation)
            case .wait:
                continue
            case .giveUp:
                var attempts = lease.attempts
                for method in self.methods where lease.request.methods.contains(method) && !attempts.contains(where: { $0.method == method }) {
                    if let error = self.findings[method]?.error { attempts.append(.init(method: method, error: error)) }
                }
                attempts.sort { (self.methods.firstIndex(of: $0.method) ?? 0) < (self.methods.firstIndex(of: $1.method) ?? 0) }
                let wait = min(self.configuration.retryInterval * (1 << min(lease.failedRoundCount, 10)), self.configuration.maximumRetryInterval)
                self.leases[id]?.failedRoundCount += 1
                self.leases[id]?.attempts = attempts
                self.leases[id]?.state = .waiting(until: now + wait)
                self.outputs.append(.report(.failed(.init(id: id, request: lease.request, family: self.gateway.family, attempts: attempts))))
            }
        }
    }

    private enum Choice {
        case use(PortMapping.Method)
        case wait
        case giveUp
    }

    private func choice(for lease: Lease, now: Instant) -> Choice {
        var isProbing = false
        for method in self.methods where lease.request.methods.contains(method) && !lease.attempts.contains(where: { $0.method == method }) {
            switch self.methodStates[method] {
            case .available:
                guard isProbing, let graceEndsAt, now < graceEndsAt else { return .use(method) }
                return .wait
            case .probing: isProbing = true
            case .unavailable, nil: continue
            }
        }
        return isProbing ? .wait : .giveUp
    }

    private func order(
        _ id: PortMapping.ID, _ lease: Lease, _ method: PortMapping.Method, _ service: UPnPService?, externalPort: UInt16
    ) -> Order {
        let lifetime = min(max(self.configuration.lifetime, self.configuration.minimumRenewalInterval * 2), .seconds(Int64(Self.maximumLifetimeSeconds)))
        return Order(
            id: id, request: lease.request, method: method, service: service, nonce: lease.nonce, externalPort: externalPort,
            externalAddress: lease.externalAddress, lifetimeSeconds: UInt32(clamping: lifetime.components.seconds))
    }

    private mutating func renew(_ id: PortMapping.ID) {
        guard let lease = self.leases[id], case .held(let holding) = lease.state else { return }
        let operation = self.start(.map(self.order(id, lease, holding.mapping.method, holding.service, externalPort: holding.externalPort)))
        self.leases[id]?.state = .renewing(holding, operation)
    }

    private mutating func granted(_ order: Order, _ operation: OperationID, _ grant: GatewayOperation.Grant, now: Instant) {
        self.observe(order.method, epoch: grant.epoch, except: order.id, now: now)
        guard let lease = self.leases[order.id], self.awaits(lease, operation) else {
            // Not wanted any more, or given up on: away with it, unless the same mapping is held or asked for again.
            if self.leases[order.id] == nil { self.unmap(order, grant) }
            return
        }
        guard self.isPossible(grant.externalAddress) else {
            self.unmap(order, grant)
            self.refused(
                order, operation, PortMappingError(.noExternalAddress, "the gateway says that its external address is \(grant.externalAddress)"), now: now)
            return
        }
        if order.request.requiresExternalPort, grant.externalPort != order.request.suggestedExternalPort {
            self.unmap(order, grant)
            self.refused(
                order, operation, PortMappingError(.conflict, "the gateway would give port \(grant.externalPort) only"), now: now)
            return
        }
        let isPermanent = grant.lifetimeSeconds == 0
        let lifetime = Duration.seconds(min(grant.lifetimeSeconds, Self.maximumLifetimeSeconds))
        let internalPort = order.request.protocol.component(port: order.request.internalPort)
        let mapping = self.mapping(
            order.id, order.request, order.method, address: grant.externalAddress, port: grant.externalPort,
            internal: grant.internalAddress.map { $0.multiaddr.encapsulating(internalPort) } ?? Multiaddr(components: [internalPort]),
            lifetime: isPermanent ? nil : lifetime)
        let old = lease.holding?.mapping
        self.leases[order.id]?.externalPort = grant.externalPort
        self.leases[order.id]?.externalAddress = grant.externalAddress
        self.leases[order.id]?.attempts = []
        self.leases[order.id]?.failedRoundCount = 0
        // RFC 6886 §3.3, RFC 6887 §11.2.1: renew at half.
        let shortest = self.configuration.minimumRenewalInterval
        let holding = Holding(
            mapping: mapping, externalAddress: grant.externalAddress, externalPort: grant.externalPort, service: order.service,
            renewAt: now + (isPermanent ? Self.permanentRenewalInterval : max(lifetime / 2, shortest)),
            expiresAt: isPermanent ? nil : now + max(lifetime, shortest * 2))
        self.leases[order.id]?.state = .held(holding)
        if let old {
            self.outputs.append(.report(old.external == mapping.external ? .renewed(mapping) : .externalAddressChanged(from: old, to: mapping)))
        } else {
            self.outputs.append(.report(.mapped(mapping)))
        }
        if !self.hasHeld {
            self.hasHeld = true
            self.nextCheckAt = now + self.configuration.checkInterval
        }
        self.note(grant.externalAddress)
    }

    private mutating func refused(_ order: Order, _ operation: OperationID, _ error: PortMappingError, now: Instant) {
        guard let lease = self.leases[order.id], self.awaits(lease, operation) else { return }
        switch lease.state {
        case .requesting(let method, _):
            self.leases[order.id]?.attempts.append(.init(method: method, error: error))
            self.leases[order.id]?.state = .choosing
            if error.code == .unresponsive || error.code == .notSupported { self.conclude(method, .unavailable, error: error, now: now) }
        case .renewing(var holding, _):
            // No answer, and time is left: again when half of that is over. A refusal is final.
            let isTemporary = error.code == .unresponsive || error.code == .notSupported || error.code == .networkFailure || error.code == .malformedAnswer
            if isTemporary {
                let left = holding.expiresAt.map { $0 - now } ?? Self.permanentRenewalInterval
                holding.renewAt = now + max(min(left / 2, self.configuration.checkInterval), self.configuration.minimumRenewalInterval)
                self.leases[order.id]?.state = .held(holding)
            } else {
                self.lose(order.id, holding, error, now: now)
            }
        case .choosing, .held, .waiting:
            return
        }
    }

    private mutating func lose(_ id: PortMapping.ID, _ holding: Holding, _ error: PortMappingError, now: Instant) {
        self.outputs.append(.report(.lost(holding.mapping, error)))
        self.leases[id]?.attempts = []
        self.leases[id]?.state = .choosing
        self.probeAgain(now: now)
    }

    private mutating func unmap(_ order: Order, _ grant: GatewayOperation.Grant) {
        var order = order
        order.externalPort = grant.externalPort
        self.start(.unmap(order))
    }

    private func awaits(_ lease: Lease, _ operation: OperationID) -> Bool {
        switch lease.state {
        case .requesting(_, operation), .renewing(_, operation): true
        case .requesting, .renewing, .choosing, .held, .waiting: false
        }
    }

    private func mapping(
        _ id: PortMapping.ID, _ request: PortMapping.Request, _ method: PortMapping.Method, address: IPAddress, port: UInt16, internal: Multiaddr,
        lifetime: Duration?
    ) -> PortMapping {
        PortMapping(
            id: id, request: request, family: self.gateway.family, method: method,
            external: address.multiaddr.encapsulating(request.protocol.component(port: port)), internal: `internal`, lifetime: lifetime,
            isPublic: self.configuration.addressPolicy.isPublic(address.scope))
    }

    /// Whether an interface towards the internet, or towards another NAT, can have this address.
    private func isPossible(_ address: IPAddress) -> Bool {
        guard address.family == self.gateway.family else { return false }
        switch address.scope {
        case .global, .private, .carrierGradeNAT, .documentation: return true
        case .reserved:
            // 192.0.0.0/29 of DS-Lite (RFC 6333 §10), and 198.18.0.0/15, which some carriers use inside.
            guard case .v4(let ip) = address else { return false }
            return ip.rawValue >> 8 == 0xc000_00 || ip.rawValue >> 17 == 0xc612_0000 >> 17
        case .loopback, .linkLocal, .multicast, .unspecified: return false
        }
    }

    private mutating func note(_ address: IPAddress) {
        guard self.isPossible(address) else { return }
        self.externalAddress = address
        if self.configuration.addressPolicy.isPublic(address.scope) {
            self.reportedDoubleNAT = nil
        } else if self.reportedDoubleNAT != address {
            self.reportedDoubleNAT = address
            self.outputs.append(.report(.doubleNAT(external: address.multiaddr)))
        }
    }

    /// In the order of the requests, so that the same events have the same outcome.
    private var sortedLeases: [(key: PortMapping.ID, value: Lease)] { self.leases.sorted { $0.key.rawValue < $1.key.rawValue } }

    @discardableResult
    private mutating func start(_ operation: GatewayOperation) -> OperationID {
        let id = OperationID(rawValue: self.nextOperation)
        self.nextOperation += 1
        self.operations[id] = operation
        self.outputs.append(.start(id, operation))
        return id
    }
}
