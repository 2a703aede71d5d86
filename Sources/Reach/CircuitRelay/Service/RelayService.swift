public import DIGIdentity
public import DIGMultiformats
public import DIGNet
public import Logging
import NIOCore
public import ServiceLifecycle
import Synchronization

/// Relays for others: gives reservations, connects to the peers that have one, and carries what both ends say, which it cannot read
/// (circuit-v2, "Hop Protocol").
///
/// Serves only while it is enabled, which is for whoever has proof that this node can be reached by everybody.
///
/// ```
///   initiator ══ hop stream ══▶ relay ══ stop stream ══▶ target
///              CONNECT target         CONNECT initiator
///              ◀ OK                   ◀ OK
///              ◀═══════ bytes, spliced on the event loops ═══════▶
/// ```
public final class RelayService: Service, Sendable {
    private struct State {
        var table: RelayTable
        var allocator: RateAllocator
        var isEnabled = false
        var isStopped = false
        var circuits: [RelayTable.CircuitID: RelayedCircuit] = [:]
        /// Tasks that ask targets; each ends within the request timeout.
        var asking: [RelayTable.CircuitID: Task<Void, Never>] = [:]
        /// Connections on whose end reservations may end.
        var watched: Set<ConnectionID> = []
        /// Vouchers given, so that a peer that asks again at once costs no signature.
        var vouchers: [PeerID: (issuedAt: ContinuousClock.Instant, grant: ReservationGrant)] = [:]
        var pending: PendingRequests
        var usage = RelayUsage()
        var statistics = RelayServiceStatistics()
        var isTicking = false
        var lastTick: ContinuousClock.Instant?
    }

    /// How often shares are given out; half of ``RateAllocator/burst`` at most, so that a full rate is reached.
    private static let tickInterval: TimeAmount = .milliseconds(50)
    /// How often bytes are counted when there is no rate.
    private static let countInterval: TimeAmount = .seconds(1)
    /// How long a voucher is given again.
    private static let voucherReuse: Duration = .seconds(10)
    private static let sweepInterval: Duration = .seconds(30)

    private let identity: KeyPair
    private let dialer: any PeerDialer
    private let router: any StreamRouter
    private let protector: (any ConnectionProtector)?
    private let addresses: @Sendable () -> [Multiaddr]
    private let configuration: RelayServiceConfiguration
    private let logger: Logger
    private let limit: RelayLimit
    private let state: Mutex<State>

    /// - Parameters:
    ///   - protector: Keeps the connections of peers with reservations open. Without, they end with the swarm's idle timeout.
    ///   - addresses: Where this node can be reached. What is not public is left out, see ``RelayServiceConfiguration/addressPolicy``.
    public init(
        identity: KeyPair, dialer: any PeerDialer, router: any StreamRouter, protector: (any ConnectionProtector)? = nil,
        addresses: @escaping @Sendable () -> [Multiaddr], configuration: RelayServiceConfiguration = .init(), logger: Logger
    ) {
        self.identity = identity
        self.dialer = dialer
        self.router = router
        self.protector = protector
        self.addresses = addresses
        self.configuration = configuration
        self.logger = logger
        self.limit = RelayLimit(
            durationSeconds: configuration.circuitDuration.map { UInt32(clamping: $0.components.seconds) }, byteCount: configuration.circuitByteCount)
        self.state = Mutex(
            State(
                table: RelayTable(configuration),
                allocator: RateAllocator(
                    total: configuration.bytesPerSecond, perPeer: configuration.bytesPerSecondPerPeer, perFlow: configuration.bytesPerSecondPerCircuit),
                pending: PendingRequests(configuration)))
    }

    // MARK: Control

    /// Waits until cancelled or shut down gracefully, then ends every circuit and answers nobody any more.
    public func run() async throws {
        await withGracefulShutdownHandlerOrCancellation { self.sweep() }
        self.stop()
    }

    private func withGracefulShutdownHandlerOrCancellation(_ body: @escaping @Sendable () -> Void) async {
        // Both ways to end are in order.
        try? await cancelWhenGracefulShutdown {
            while true {
                try await Task.sleep(for: Self.sweepInterval)
                body()
            }
        }
    }

    /// Ends every circuit and every reservation, for good.
    public func stop() {
        self.setEnabled(false)
        let (circuits, asking) = self.state.withLock { state in
            state.isStopped = true
            return (Array(state.circuits.values), Array(state.asking.values))
        }
        for task in asking { task.cancel() }
        for circuit in circuits { circuit.end(.stopped, self.count) }
    }

    public var isEnabled: Bool { self.state.withLock { $0.isEnabled } }

    /// Starts or stops serving. Stopping ends the reservations; circuits go on.
    public func setEnabled(_ isEnabled: Bool) {
        let change: [PeerID]? = self.state.withLock { state in
            guard isEnabled != state.isEnabled, !(isEnabled && state.isStopped) else { return nil }
            state.isEnabled = isEnabled
            guard !isEnabled else { return [] }
            state.vouchers = [:]
            return state.table.removeAll()
        }
        guard let change else { return }
        for peer in change { self.protector?.unprotect(peer, tag: CircuitRelay.hopProtectionTag) }
        if isEnabled {
            self.router.register(CircuitRelay.hopProtocolID) { [weak self] stream, connection in
                guard let self else { return stream.eventLoop.makeFailedFuture(CircuitRelayError(.closed, "the relay is gone")) }
                return self.accept(stream, of: connection)
            }
        } else {
            self.router.unregister(CircuitRelay.hopProtocolID)
        }
    }

    public var statistics: RelayServiceStatistics {
        self.state.withLock { state in
            self.countBytes(&state)
            var statistics = state.statistics
            statistics.isEnabled = state.isEnabled
            statistics.reservations = state.table.reservationCount
            statistics.circuits = state.circuits.count
            statistics.usage = state.usage
            return statistics
        }
    }

    /// Goes on counting for the budget where an earlier run has ended.
    public func restore(_ usage: RelayUsage) {
        self.state.withLock { state in
            self.countBytes(&state)
            if usage.day > state.usage.day { (state.usage.day, state.usage.bytesToday) = (usage.day, 0) }
            if usage.day == state.usage.day { state.usage.bytesToday = state.usage.bytesToday.addingClamped(usage.bytesToday) }
            if usage.month > state.usage.month { (state.usage.month, state.usage.bytesThisMonth) = (usage.month, 0) }
            if usage.month == state.usage.month { state.usage.bytesThisMonth = state.usage.bytesThisMonth.addingClamped(usage.bytesThisMonth) }
        }
    }

    private func sweep() {
        let now = ContinuousClock.now
        self.state.withLock { state in state.vouchers = state.vouchers.filter { now - $0.value.issuedAt < Self.voucherReuse } }
        self.letGo(now: now)
    }

    /// The connections of peers whose reservations have ended need not be kept.
    private func letGo(now: ContinuousClock.Instant) {
        let over = self.state.withLock { $0.table.expire(now: now) }
        for peer in over { self.protector?.unprotect(peer, tag: CircuitRelay.hopProtectionTag) }
    }

    // MARK: Requests

    private func accept(_ stream: any Channel, of connection: any Connection) -> EventLoopFuture<Void> {
        stream.eventLoop.makeCompletedFuture {
            let messages = try MessageStream(
                on: stream, limit: CircuitRelay.maximumMessageByteCount, timeout: self.configuration.requestTimeout)
            let origin = NetworkOrigin(connection.remoteAddress)
            let isAdmitted = self.state.withLock { $0.pending.admit(connection.remotePeer, from: origin) }
            guard isAdmitted else {
                self.refuse(.tooManyRequests, on: messages)
                return
            }
            messages.read().whenComplete { result in
                switch result {
                case .success(let bytes):
                    self.received(bytes, on: messages, of: connection)
                case .failure:
                    self.count(.malformed)
                    messages.close()
                    self.answered(connection)
                }
            }
        }
    }

    /// A request that came over `connection` is not pending any more.
    private func answered(_ connection: any Connection) {
        let origin = NetworkOrigin(connection.remoteAddress)
        self.state.withLock { $0.pending.answered(connection.remotePeer, from: origin) }
    }

    private func received(_ bytes: ByteBuffer, on messages: MessageStream, of connection: any Connection) {
        let message: HopMessage
        do throws(CircuitDecodingError) { message = try HopMessage(decoding: bytes) } catch {
            self.refuse(.malformed, on: messages)
            return self.answered(connection)
        }
        switch message {
        case .reserve:
            self.reserve(on: messages, for: connection)
            self.answered(connection)
        case .connect(let target):
            self.connect(to: target, on: messages, for: connection)
        case .status:
            self.refuse(.unexpected, on: messages)
            self.answered(connection)
        }
    }

    private func refuse(_ reason: RelayRefusal, as status: RelayStatus? = nil, on messages: MessageStream) {
        self.count(reason)
        messages.end(with: HopMessage.status(status ?? reason.status).encoded)
    }

    private func count(_ reason: RelayRefusal) {
        self.state.withLock { $0.statistics.refusals[reason, default: 0] += 1 }
    }

    // MARK: Reservations

    private func reserve(on messages: MessageStream, for connection: any Connection) {
        do throws(RelayRefusal) {
            let grant = try self.grant(to: connection)
            messages.end(with: HopMessage.status(.ok, reservation: grant, limit: self.limit).encoded)
        } catch {
            self.refuse(error, as: error.reservationStatus, on: messages)
        }
    }

    private func grant(to connection: any Connection) throws(RelayRefusal) -> ReservationGrant {
        let peer = connection.remotePeer
        guard !connection.isRelayed else { throw .relayed }
        guard self.configuration.permits(.reservation(of: peer, at: connection.remoteAddress)) else { throw .denied }
        let origin = NetworkOrigin(connection.remoteAddress)
        let now = ContinuousClock.now
        let nowSeconds = WallClock.nowMilliseconds / 1000
        defer { self.letGo(now: now) }
        let known = try self.state.withLock { state throws(RelayRefusal) -> ReservationGrant? in
            guard state.isEnabled else { throw .disabled }
            self.countBytes(&state)
            guard !state.usage.isExhausted(self.configuration) else { throw .budgetExhausted }
            if let (issuedAt, grant) = state.vouchers[peer], now - issuedAt < Self.voucherReuse, state.table.hasReservation(peer, now: now) {
                return grant
            }
            _ = try state.table.reserve(peer, from: origin, now: now)
            state.statistics.reservationsGranted += 1
            return nil
        }
        if let known { return known }
        self.protector?.protect(peer, tag: CircuitRelay.hopProtectionTag)
        self.watch(connection)
        let expirationSeconds = nowSeconds.addingClamped(UInt64(clamping: self.configuration.reservationLifetime.components.seconds))
        var grant = ReservationGrant(expirationSeconds: expirationSeconds, addresses: self.publicAddresses(), voucher: nil)
        do throws(IdentityError) {
            grant.voucher = try ReservationVoucher(relay: self.dialer.localPeer, peer: peer, expirationSeconds: expirationSeconds)
                .sealed(with: self.identity).encoded
        } catch {
            // Vouchers are advisory: the reservation holds without.
            self.logger.warning("a voucher could not be signed", metadata: ["dig.relay.error": "\(error)"])
        }
        self.state.withLock { state in
            guard state.table.hasReservation(peer, now: now) else { return }
            if state.vouchers.count < self.configuration.maximumReservations { state.vouchers[peer] = (now, grant) }
        }
        return grant
    }

    /// Specification, "Reservation": public addresses with the relay's id at the end.
    private func publicAddresses() -> [Multiaddr] {
        self.addresses().filter { !$0.isCircuit && self.configuration.addressPolicy.isPublic($0) }.prefix(HopMessage.maximumAddressCount)
            .map { $0.withPeerID(self.dialer.localPeer) }
    }

    /// Once for each connection, however often its peer asks.
    private func watch(_ connection: any Connection) {
        let (id, peer) = (connection.id, connection.remotePeer)
        guard self.state.withLock({ $0.watched.insert(id).inserted }) else { return }
        connection.closeFuture.whenComplete { [weak self] _ in
            guard let self else { return }
            self.state.withLock { _ = $0.watched.remove(id) }
            self.connectionClosed(to: peer)
        }
    }

    /// Specification, "Reservation": "If the peer disconnects, the reservation is no longer valid."
    private func connectionClosed(to peer: PeerID) {
        if let connection = self.dialer.connection(to: peer), !connection.isRelayed {
            if self.state.withLock({ $0.table.hasReservation(peer, now: .now) }) { self.watch(connection) }
            return
        }
        let hadOne = self.state.withLock { state in
            state.vouchers[peer] = nil
            return state.table.remove(peer)
        }
        if hadOne { self.protector?.unprotect(peer, tag: CircuitRelay.hopProtectionTag) }
    }

    // MARK: Circuits

    private func connect(to target: PeerID, on messages: MessageStream, for connection: any Connection) {
        let source = connection.remotePeer
        do throws(RelayRefusal) {
            guard !connection.isRelayed else { throw .relayed }
            guard self.configuration.permits(.circuit(from: source, to: target)) else { throw .denied }
            let id = try self.state.withLock { state throws(RelayRefusal) -> RelayTable.CircuitID in
                guard state.isEnabled else { throw .disabled }
                self.countBytes(&state)
                guard !state.usage.isExhausted(self.configuration) else { throw .budgetExhausted }
                return try state.table.open(from: source, at: NetworkOrigin(connection.remoteAddress), to: target, now: .now)
            }
            guard let onward = self.dialer.connection(to: target), !onward.isRelayed else {
                self.state.withLock { $0.table.close(id) }
                throw .noReservation
            }
            self.ask(onward, for: id, on: messages, of: connection)
        } catch {
            self.refuse(error, on: messages)
            self.answered(connection)
        }
    }

    /// Asks the target. One task for each circuit, until both streams are spliced.
    private func ask(_ onward: any Connection, for id: RelayTable.CircuitID, on messages: MessageStream, of connection: any Connection) {
        let source = connection.remotePeer
        let task = Task {
            defer { self.answered(connection) }
            do {
                let stop = try await self.openStop(on: onward, source: source)
                self.splice(id, source: (source, messages), target: (onward.remotePeer, stop))
            } catch {
                self.logger.debug("target refused", metadata: ["dig.relay.peer": "\(onward.remotePeer)", "dig.relay.error": "\(error)"])
                self.state.withLock { state in
                    state.table.close(id)
                    state.asking[id] = nil
                }
                self.refuse(.targetFailed, on: messages)
            }
        }
        self.state.withLock { state in
            // It may be done already; then its circuit is there or closed.
            let isDone = state.circuits[id] != nil || !state.table.isOpen(id)
            if !isDone, !state.isStopped { state.asking[id] = task }
        }
        // Nobody waits for the answer any more.
        messages.channel.closeFuture.whenComplete { _ in task.cancel() }
    }

    private func openStop(on onward: any Connection, source: PeerID) async throws -> MessageStream {
        let messages = try await onward.openMessages(
            speaking: CircuitRelay.stopProtocolID, limit: CircuitRelay.maximumMessageByteCount, timeout: self.configuration.requestTimeout)
        return try await withTaskCancellationHandler {
            do {
                messages.write(StopMessage.connect(source, limit: self.limit).encoded)
                guard case .status(let status) = try StopMessage(decoding: try await messages.read().get()) else {
                    throw CircuitRelayError(.malformedResponse, "\(onward.remotePeer) asks instead of answering")
                }
                guard status == .ok else {
                    throw CircuitRelayError(.connectionFailed, "\(onward.remotePeer) answered \(status)", status: status)
                }
                try Task.checkCancellation()
                return messages
            } catch {
                messages.close()
                throw error
            }
        } onCancel: {
            messages.close()
        }
    }

    private func splice(_ id: RelayTable.CircuitID, source: (peer: PeerID, messages: MessageStream), target: (peer: PeerID, messages: MessageStream)) {
        let isLimited = self.state.withLock { $0.allocator.isLimited }
        let circuit = RelayedCircuit(
            id: id, source: source.peer, target: target.peer, sourceLoop: source.messages.channel.eventLoop,
            targetLoop: target.messages.channel.eventLoop, isLimited: isLimited, window: self.configuration.spliceWindowByteCount,
            byteLimit: self.configuration.circuitByteCount == 0 ? nil : self.configuration.circuitByteCount, onEnd: self.count)
        let isStopped = self.state.withLock { state in
            state.asking[id] = nil
            state.circuits[id] = circuit
            state.statistics.circuitsOpened += 1
            return state.isStopped
        }
        source.messages.write(HopMessage.status(.ok, reservation: nil, limit: self.limit).encoded)
        circuit.start(
            source: source.messages, target: target.messages, duration: self.configuration.circuitDuration, onEnd: self.count
        ).whenComplete { _ in self.closed(circuit) }
        self.startTicking(on: source.messages.channel.eventLoop)
        if isStopped { circuit.end(.stopped, self.count) }
    }

    private func count(_ circuit: RelayedCircuit, _ end: CircuitEnd) {
        self.state.withLock { $0.statistics.circuitsCut[end, default: 0] += 1 }
    }

    private func closed(_ circuit: RelayedCircuit) {
        self.state.withLock { state in
            self.countBytes(circuit, &state)
            state.circuits[circuit.id] = nil
            state.table.close(circuit.id)
        }
    }

    // MARK: Counting and rates

    private func countBytes(_ circuit: RelayedCircuit, _ state: inout State) {
        let bytes = circuit.takeCarried()
        state.statistics.bytesRelayed = state.statistics.bytesRelayed.addingClamped(bytes)
        state.usage.add(bytes, atUnixSeconds: WallClock.nowMilliseconds / 1000)
    }

    private func countBytes(_ state: inout State) {
        state.usage.add(0, atUnixSeconds: WallClock.nowMilliseconds / 1000)
        for circuit in state.circuits.values { self.countBytes(circuit, &state) }
    }

    /// While circuits are open, shares out the rates and looks at the budget.
    private func startTicking(on eventLoop: any EventLoop) {
        let interval: TimeAmount? = self.state.withLock { state in
            guard !state.isTicking else { return nil }
            state.isTicking = true
            state.lastTick = .now
            return state.allocator.isLimited ? Self.tickInterval : Self.countInterval
        }
        guard let interval else { return }
        eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [weak self] task in
            guard let self, self.tick() else { return task.cancel() }
        }
    }

    /// - Returns: Whether to go on.
    private func tick() -> Bool {
        let (grants, isExhausted) = self.state.withLock { state -> ([(RelayedCircuit, ArraySlice<Int>)]?, Bool) in
            guard !state.circuits.isEmpty else {
                state.isTicking = false
                return (nil, false)
            }
            let now = ContinuousClock.now
            let elapsed = state.lastTick.map { now - $0 } ?? .zero
            state.lastTick = now
            self.countBytes(&state)
            let circuits = Array(state.circuits.values)
            guard state.allocator.isLimited else { return (circuits.map { ($0, []) }, state.usage.isExhausted(self.configuration)) }
            let shares = state.allocator.allocate(elapsed: elapsed, among: circuits.flatMap { $0.flows() })
            return (
                circuits.enumerated().map { ($1, shares[($0 * 2)..<($0 * 2 + 2)]) }, state.usage.isExhausted(self.configuration)
            )
        }
        guard let grants else { return false }
        for (circuit, shares) in grants {
            if isExhausted { circuit.end(.budget, self.count) } else { circuit.grant(shares) }
        }
        return true
    }
}
