@testable import DIGPortMapping
import DIGMultiformats
import DIGNet

/// A session in virtual time, with a gateway that a test scripts.
struct SessionDriver {
    typealias Instant = ContinuousClock.Instant

    static let external = IPAddress.v4(IPv4Address(11, 0, 0, 2))
    static let local = IPAddress.v4(IPv4Address(192, 168, 1, 2))

    var session: MappingSession
    let start: Instant
    var now: Instant
    var events: [PortMapperEvent] = []
    /// Asked and not yet answered.
    var pending: [(id: GatewayOperation.ID, operation: GatewayOperation, askedAt: Instant)] = []
    /// Everything that was asked, with the time.
    var asked: [(operation: GatewayOperation, at: Duration)] = []
    let service = UPnPService(kind: .ip1, controlURL: GatewayURL(host: IPv4Address(192, 168, 1, 1), port: 5000, path: "/ctl"), device: "ACME")

    init(_ configuration: PortMapperConfiguration = .init(), gateway: IPAddress = .v4(IPv4Address(192, 168, 1, 1)), local: IPAddress = Self.local) {
        self.start = .now
        self.now = self.start
        self.session = MappingSession(
            gateway: Gateway(address: gateway, interface: "lan", localAddress: local), configuration: configuration, now: self.start)
        self.drain()
    }

    mutating func add(_ request: PortMapping.Request = .init(protocol: .tcp, internalPort: 4001), id: UInt64 = 0) {
        self.session.add(.init(rawValue: id), request, nonce: PCPNonce(high: 1, low: id), now: self.now)
        self.drain()
    }

    mutating func drain() {
        while let output = self.session.poll() {
            switch output {
            case .report(let event): self.events.append(event)
            case .start(let id, let operation):
                self.pending.append((id, operation, self.now))
                self.asked.append((operation, self.now - self.start))
            }
        }
    }

    /// Answers the oldest pending operation that `matches`; whether there was one.
    @discardableResult
    mutating func answer(_ result: Result<GatewayOperation.Outcome, PortMappingError>, where matches: (GatewayOperation) -> Bool) -> Bool {
        guard let index = self.pending.firstIndex(where: { matches($0.operation) }) else { return false }
        let id = self.pending.remove(at: index).id
        self.session.completed(id, result, now: self.now)
        self.drain()
        return true
    }

    @discardableResult
    mutating func answerProbe(_ method: PortMapping.Method, epoch: UInt32? = nil, address: IPAddress? = nil) -> Bool {
        self.answer(.success(.probed(epoch: epoch, externalAddress: address, service: method == .upnp ? self.service : nil))) { $0 == .probe(method) }
    }

    @discardableResult
    mutating func failProbe(_ method: PortMapping.Method, _ code: PortMappingError.Code = .unresponsive) -> Bool {
        self.answer(.failure(PortMappingError(code, ""))) { $0 == .probe(method) }
    }

    /// Grants the oldest mapping asked for.
    @discardableResult
    mutating func grant(
        _ address: IPAddress = Self.external, port: UInt16? = nil, lifetime: UInt32? = nil, epoch: UInt32? = nil, id: UInt64? = nil
    ) -> PortMapping.Method? {
        guard let order = self.orders.first(where: { id == nil || $0.id.rawValue == id }) else { return nil }
        self.answer(
            .success(
                .mapped(
                    .init(
                        externalAddress: address, externalPort: port ?? order.externalPort, lifetimeSeconds: lifetime ?? order.lifetimeSeconds,
                        epoch: epoch, internalAddress: Self.local)))
        ) { $0 == .map(order) }
        return order.method
    }

    @discardableResult
    mutating func refuse(_ code: PortMappingError.Code = .refused) -> PortMapping.Method? {
        guard let order = self.orders.first else { return nil }
        self.answer(.failure(PortMappingError(code, ""))) { $0 == .map(order) }
        return order.method
    }

    @discardableResult
    mutating func answerCheck(epoch: UInt32? = nil, address: IPAddress? = nil, missing: Set<PortMapping.ID> = []) -> Bool {
        self.answer(.success(.checked(epoch: epoch, externalAddress: address, missing: missing))) { if case .check = $0 { true } else { false } }
    }

    /// The mappings asked for.
    var orders: [GatewayOperation.MappingOrder] {
        self.pending.compactMap { if case .map(let order) = $0.operation { order } else { nil } }
    }

    var deletions: [GatewayOperation.MappingOrder] {
        self.pending.compactMap { if case .unmap(let order) = $0.operation { order } else { nil } }
    }

    var time: Duration { self.now - self.start }

    /// Lets time pass, deadline by deadline, calling `step` after each.
    mutating func run(until time: Duration, step: (inout SessionDriver) -> Void = { _ in }) {
        let end = self.start + time
        var count = 0
        while let deadline = self.session.deadline, deadline <= end, count < 100_000 {
            self.now = max(self.now, deadline)
            self.session.deadlineReached(now: self.now)
            self.drain()
            step(&self)
            count += 1
        }
        precondition(count < 100_000, "a deadline does not move")
        self.now = max(self.now, end)
        self.session.deadlineReached(now: self.now)
        self.drain()
        step(&self)
    }
}
