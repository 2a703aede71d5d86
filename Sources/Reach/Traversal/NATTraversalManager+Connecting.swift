import DIGAutoNAT
import DIGHolePunching
public import DIGIdentity
public import DIGMultiformats
public import DIGNet
import DIGSwarm
import Logging
import Synchronization

extension NATTraversalManager {
    /// Reaches `peer` by whatever method works, or returns the connection there is.
    ///
    /// In a race the first path is returned, a relayed one too, while direct methods go on; ``events`` tells when a direct connection has taken
    /// its place. A climb under way to the same peer is joined. Cancelling stops it unless others wait for it.
    ///
    /// - Parameters:
    ///   - addresses: What is known of the peer, circuit addresses among them. What it said itself about its addresses is added.
    ///   - source: Who named the addresses: a stranger's private ones are not dialed.
    ///   - ladder: Replaces the configured mode, order and budgets, for this peer and now.
    /// - Throws: ``TraversalError`` with what each method did; `CancellationError`.
    public func connect(
        to peer: PeerID, addresses: [Multiaddr], source: DialOptions.AddressSource = .user, ladder: LadderConfiguration? = nil
    ) async throws -> TraversalResult {
        if let open = self.swarm.connection(to: peer) {
            return TraversalResult(connection: open, method: self.path(of: peer)?.method ?? .direct, duration: .zero)
        }
        let climb = try await self.climb(to: peer, addresses: addresses, source: source, ladder: ladder ?? self.configuration.ladder)
        return try await climb.wait()
    }

    /// The whitepaper's form: the methods allowed, by name and in order.
    ///
    /// - Throws: As ``connect(to:addresses:source:ladder:)``; ``TraversalError`` with `.unknownMethod`.
    public func connect(to peer: PeerID, addresses: [Multiaddr], preferredMethods: [String]) async throws -> TraversalResult {
        var ladder = self.configuration.ladder
        ladder.preferredMethods = try preferredMethods.map { try TraversalMethod(name: $0) }
        return try await self.connect(to: peer, addresses: addresses, ladder: ladder)
    }

    /// The climb under way, or a new one.
    private func climb(
        to peer: PeerID, addresses: [Multiaddr], source: DialOptions.AddressSource, ladder: LadderConfiguration
    ) async throws -> SharedTask<TraversalResult> {
        let network = self.network
        let statistics: [TraversalMethod: MethodStatistics]
        do { statistics = try await self.store.statistics(in: network) } catch {
            self.logger.info("the order of methods could not be read", metadata: ["dig.traversal.error": "\(error)"])
            statistics = [:]
        }
        let record = self.state.withLock { $0.capabilities.record(of: peer, now: WallClock.nowMilliseconds) }
        let policy = self.configuration.addressPolicy
        // What the peer says is a stranger's word: private addresses only if the user named them too.
        let known = addresses + (record?.addresses.map(\.address).filter { policy.isPublic($0) } ?? [])
        let rungs = LadderPlan.rungs(ladder.methods(learned: statistics), addresses: known, capabilities: record, policy: policy)
        for rung in rungs where rung.method == .direct { rung.addresses.forEach(self.reachability.contacting) }

        let result = SharedTask<TraversalResult>()
        let existing = try self.state.withLock { state throws(ConnectionError) -> SharedTask<TraversalResult>? in
            guard !state.isClosed else { throw ConnectionError(.closed, "NAT traversal is shut down") }
            if let existing = state.climbs[peer] { return existing }
            state.climbs[peer] = result
            return nil
        }
        if let existing { return existing }
        let climb = LadderClimb(
            peer: peer, rungs: rungs, configuration: ladder, source: source, network: network, dialer: self.swarm,
            directConnections: { self.directConnections(to: peer) }, report: { await self.report($0, about: peer) })
        let task = self.spawn {
            await climb.run(result: result)
            self.state.withLock { state in
                if state.climbs[peer] === result { state.climbs[peer] = nil }
            }
        }
        if let task {
            result.started(task)
        } else {
            result.finish(.failure(ConnectionError(.closed, "NAT traversal is shut down")))
        }
        return result
    }

    /// Direct connections to `peer` that come about by other means than its climb.
    private func directConnections(to peer: PeerID) -> AsyncStream<(any Connection, TraversalMethod)> {
        let (stream, continuation) = AsyncStream.makeStream(of: (any Connection, TraversalMethod).self, bufferingPolicy: .bufferingNewest(1))
        let events = self.swarm.events
        let task = Task {
            for await event in events {
                switch event {
                case .upgraded(let connection) where connection.remotePeer == peer && !connection.isRelayed,
                    .connected(let connection) where connection.remotePeer == peer && !connection.isRelayed && connection.role == .listener:
                    let method = self.state.withLock { $0.punches[peer]?.method ?? $0.methods[peer] } ?? .direct
                    continuation.yield((connection, method.isRelayed ? .direct : method))
                default: break
                }
            }
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }

    /// Keeps what came of an attempt, and tells whoever listens.
    func report(_ event: TraversalEvent, about peer: PeerID) async {
        switch event {
        case .ended(let record):
            self.state.withLock { $0.capabilities.add(record, now: WallClock.nowMilliseconds) }
            do { try await self.store.add(record) } catch {
                self.logger.info("an attempt could not be recorded", metadata: ["dig.traversal.error": "\(error)"])
            }
        case .connected(_, let method):
            self.state.withLock { $0.methods[peer] = method }
        case .started: break
        }
        self.hub.emit((peer, event))
    }

    // MARK: Punches

    /// Turns what the hole puncher tells into attempts.
    func punchHappened(_ event: PunchEvent) async {
        let peer = event.peer
        func record(_ progress: PunchProgress, _ outcome: AttemptRecord.Outcome, method: TraversalMethod? = nil) -> AttemptRecord {
            AttemptRecord(
                peer: peer, method: method ?? progress.method, addresses: progress.addresses, startedAt: progress.startedAt,
                duration: ContinuousClock.now - progress.start, outcome: outcome, network: self.network)
        }
        switch event.kind {
        case .started(_, let punch):
            let method = TraversalMethod(punch)
            self.state.withLock { $0.punches[peer] = PunchProgress(method: method, start: .now, startedAt: WallClock.nowMilliseconds) }
            self.hub.emit((peer, .started(method)))
        case .synchronized(_, let addresses):
            self.state.withLock { $0.punches[peer]?.addresses = addresses }
        case .attemptFailed(let attempt):
            guard let progress = self.state.withLock({ state in
                state.punches[peer]?.hasAttempt = true
                return state.punches[peer]
            }) else { return }
            await self.report(.ended(record(progress, .failed("attempt \(attempt.number): \(LadderClimb.cause(attempt.error))"))), about: peer)
        case .succeeded(let connection, let punch, let duration):
            let method = TraversalMethod(punch)
            var progress = self.state.withLock { $0.punches.removeValue(forKey: peer) } ?? PunchProgress(method: method, start: .now - duration, startedAt: WallClock.nowMilliseconds)
            progress.addresses = [connection.remoteAddress]
            await self.report(.ended(record(progress, .succeeded, method: method)), about: peer)
            await self.report(.connected(connection, by: method), about: peer)
        case .failed(let error):
            guard let progress = self.state.withLock({ $0.punches.removeValue(forKey: peer) }), !progress.hasAttempt else { return }
            await self.report(.ended(record(progress, .failed("\(error)"))), about: peer)
        }
    }
}

extension TraversalMethod {
    init(_ method: PunchMethod) {
        self =
            switch method {
            case .direct: .direct
            case .tcpHolePunch: .tcpHolePunch
            case .tcpSimultaneousOpen: .tcpSimultaneousOpen
            }
    }
}
