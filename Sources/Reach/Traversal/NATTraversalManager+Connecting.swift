import DIGAutoNAT
import DIGCircuitRelay
import DIGHolePunching
public import DIGIdentity
public import DIGMultiformats
public import DIGNet
import DIGSTUN
import DIGSwarm
import Logging
import Synchronization

extension NATTraversalManager {
    /// Reaches `peer` by whatever method works, or returns the connection there is.
    ///
    /// In a race the first path is returned, a relayed one too, while direct methods go on; ``events`` tells when a direct connection has taken
    /// its place. A climb under way to the same peer is joined, and what it did not know is tried if it fails. Cancelling stops it unless others
    /// wait for it.
    ///
    /// - Parameters:
    ///   - addresses: What is known of the peer, circuit addresses among them. What it said itself about its addresses is added. Where there is
    ///     a backend of signaling, none need be known.
    ///   - source: Who named the addresses: a stranger's private ones are not dialed.
    ///   - ladder: Replaces the configured mode, order and budgets, for this peer and now. A punch by a method that it does not name is not made
    ///     with the peer either while the two are connected, also if the peer begins; that the peer simply dials this node is not prevented.
    /// - Throws: ``TraversalError`` with what each method did; `ConnectionError` with `.closed`; `CancellationError`.
    public func connect(
        to peer: PeerID, addresses: [Multiaddr], source: DialOptions.AddressSource = .user, ladder: LadderConfiguration? = nil
    ) async throws -> TraversalResult {
        let wish = Climb.Wish(addresses: Set(addresses), source: source, ladder: ladder ?? self.configuration.ladder)
        while true {
            try Task.checkCancellation()
            if let open = self.swarm.connection(to: peer), Self.serves(open, wish.ladder) {
                return TraversalResult(connection: open, method: self.path(of: peer)?.method ?? .direct, duration: .zero)
            }
            let (climb, isOwn) = try await self.climb(to: peer, addresses: addresses, wish: wish)
            do {
                let reached = try await climb.result.wait()
                if Self.serves(reached.connection, wish.ladder) { return reached }
                // The climb joined was allowed more.
                self.forget(climb, to: peer)
            } catch is CancellationError where !Task.isCancelled {
                // Everybody else who waited gave it up at this moment.
                self.forget(climb, to: peer)
            } catch let error as TraversalError where !isOwn && !climb.wish.includes(wish) {
                self.logger.debug("a joined climb failed, trying what it did not know", metadata: ["dig.traversal.error": "\(error.message)"])
                self.forget(climb, to: peer)
            }
        }
    }

    /// The whitepaper's form: the methods allowed, by name and in order.
    ///
    /// - Throws: As ``connect(to:addresses:source:ladder:)``; ``TraversalError`` with `.unknownMethod`.
    public func connect(to peer: PeerID, addresses: [Multiaddr], preferredMethods: [String]) async throws -> TraversalResult {
        var ladder = self.configuration.ladder
        ladder.preferredMethods = try preferredMethods.map { try TraversalMethod(name: $0) }
        return try await self.connect(to: peer, addresses: addresses, ladder: ladder)
    }

    /// Whether `connection` may carry what the configured methods are for: a relayed one may not where relays are only for agreeing on punches.
    public func serves(_ connection: any Connection) -> Bool { Self.serves(connection, self.configuration.ladder) }

    private static func serves(_ connection: any Connection, _ ladder: LadderConfiguration) -> Bool {
        !connection.isRelayed || ladder.allowsRelayedPaths
    }

    /// A ladder being climbed, and what for.
    struct Climb: Sendable {
        struct Wish: Hashable, Sendable {
            var addresses: Set<Multiaddr>
            var source: DialOptions.AddressSource
            var ladder: LadderConfiguration

            /// Whether whoever wishes `other` cannot expect more than from this.
            func includes(_ other: Self) -> Bool {
                other.addresses.isSubset(of: self.addresses) && (self.source == other.source || self.source == .user) && self.ladder == other.ladder
            }
        }

        let result: SharedTask<TraversalResult>
        let wish: Wish
        let network: NetworkFingerprint
        /// Those who wait have been told; what it goes on for is a better path.
        var isAnswered = false
    }

    /// The climb under way, or a new one.
    private func climb(to peer: PeerID, addresses: [Multiaddr], wish: Climb.Wish) async throws -> (Climb, isOwn: Bool) {
        let network = self.network
        let ladder = wish.ladder
        let statistics: [TraversalMethod: MethodStatistics]
        do { statistics = try await self.store.statistics(in: network) } catch {
            self.logger.info("the order of methods could not be read", metadata: ["dig.traversal.error": "\(error)"])
            statistics = [:]
        }
        let record = self.state.withLock { $0.capabilities.record(of: peer, now: WallClock.nowMilliseconds) }
        let rungs = LadderPlan.rungs(ladder.methods(learned: statistics), addresses: addresses, capabilities: record, signaling: self.signaling, policy: self.configuration.addressPolicy)

        let new = Climb(result: SharedTask<TraversalResult>(), wish: wish, network: network)
        let (existing, stale) = try self.state.withLock { state throws(ConnectionError) -> (Climb?, Climb?) in
            guard !state.isClosed else { throw ConnectionError(.closed, "NAT traversal is shut down") }
            let known = state.climbs[peer]
            // One that has found a path goes on for a direct one, which is of no use when the path is gone again.
            if let known, !known.isAnswered || self.swarm.connection(to: peer).map({ Self.serves($0, ladder) }) ?? false { return (known, nil) }
            state.climbs[peer] = new
            return (nil, known)
        }
        if let existing { return (existing, false) }
        stale?.result.cancel()
        self.restrictions.set(ladder.preferredMethods, for: peer)
        // As a direct address of the user's: it may be in a private network.
        if wish.source == .user { for address in addresses where address.components.contains(.p2pCircuit) { self.circuits.allow(address) } }
        let climb = LadderClimb(
            peer: peer, rungs: rungs, configuration: ladder, source: wish.source, network: network, dialer: self.dialer,
            watch: { self.signals(about: peer) }, coordinate: { try await self.puncher.punch(peer, over: $0, budget: $1) }, report: { await self.report($0, about: peer, by: new) })
        let task = self.spawn {
            // Told to begin: of a connection that the peer made, a punch may have failed before anybody waited for it.
            if !ladder.allowsRelayedPaths, let open = self.swarm.connection(to: peer) { self.puncher.relayedConnectionOpened(open) }
            await climb.run(result: new.result)
            self.forget(new, to: peer)
        }
        if let task {
            new.result.started(task)
        } else {
            new.result.finish(.failure(ConnectionError(.closed, "NAT traversal is shut down")))
            self.forget(new, to: peer)
        }
        return (new, true)
    }

    /// Lets nobody join `climb` any more.
    private func forget(_ climb: Climb, to peer: PeerID) {
        let isLast = self.state.withLock { state in
            if state.climbs[peer]?.result === climb.result { state.climbs[peer] = nil }
            return state.climbs[peer] == nil
        }
        if isLast, self.swarm.connection(to: peer) == nil { self.restrictions.remove(peer) }
    }

    private func report(_ event: TraversalEvent, about peer: PeerID, by climb: Climb) async {
        if case .connected = event {
            self.state.withLock { state in
                if state.climbs[peer]?.result === climb.result { state.climbs[peer]?.isAnswered = true }
            }
        }
        await self.report(event, about: peer)
    }

    /// What becomes of `peer` by other means than its climb's dials.
    private func signals(about peer: PeerID) -> LadderClimb.Watcher {
        let events = self.swarm.events
        let punches = self.puncher.events
        return { tell in
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    for await event in events {
                        switch event {
                        case .upgraded(let connection), .connected(let connection):
                            // Dials of this node tell of themselves.
                            guard connection.remotePeer == peer, !connection.isRelayed, connection.role == .listener else { continue }
                            // So do punches, which know by what method; what they tell may not have been heard yet.
                            guard !self.puncher.concerns(connection), self.state.withLock({ $0.punches[peer] == nil }) else { continue }
                            tell(.direct(connection, self.punchMethod(of: connection) ?? .direct))
                        default: break
                        }
                    }
                }
                group.addTask {
                    for await event in punches where event.peer == peer {
                        switch event.kind {
                        case .succeeded(let connection, let method, _): tell(.direct(connection, TraversalMethod(method, over: event.signaling)))
                        case .attemptFailed(let attempt) where event.signaling == PunchEvent.relaySignaling:
                            tell(.punchAttemptFailed(TraversalMethod(attempt.method), cause: LadderClimb.cause(attempt.error)))
                        case .failed(let error) where error.code != .busy:
                            if let open = self.swarm.connection(to: peer), !open.isRelayed {
                                tell(.direct(open, self.punchMethod(of: open) ?? .direct))
                            } else if event.signaling == PunchEvent.relaySignaling {
                                tell(.punchFailed(cause: "\(error)"))
                            }
                        case .started, .synchronized, .failed, .attemptFailed: break
                        }
                    }
                }
                await group.waitForAll()
            }
        }
    }

    /// The method that punched the hole for `connection`, if one did and it was reported already.
    private func punchMethod(of connection: any Connection) -> TraversalMethod? {
        self.state.withLock { $0.methods[connection.remotePeer] }.flatMap { $0.isPunch ? $0 : nil }
    }

    /// Keeps what came of an attempt, and tells whoever listens.
    func report(_ event: TraversalEvent, about peer: PeerID) async {
        switch event {
        case .ended(let record):
            self.state.withLock { state in
                state.capabilities.add(record, now: WallClock.nowMilliseconds)
                if record.outcome == .succeeded { state.workingMethods.insert(record.method) }
            }
            // In a task of its own, which goes on where this one is cancelled: what was given up is worth knowing, too.
            do { try await Task { try await self.store.add(record) }.value } catch {
                self.logger.info("an attempt could not be recorded", metadata: ["dig.traversal.error": "\(error)"])
            }
        case .connected(let connection, let method):
            // Not of a peer that is gone already: nobody would take it out again.
            self.state.withLock { state in
                guard self.swarm.connection(to: peer) != nil else { return }
                if state.methods.count >= Self.maximumMethodCount {
                    state.methods = state.methods.filter { self.swarm.connection(to: $0.key) != nil }
                }
                // Who climbs may take a punch for a dial of the peer's.
                if state.methods[peer]?.isPunch == true, !method.isPunch, !connection.isRelayed { return }
                state.methods[peer] = method
            }
        case .started: break
        }
        self.hub.emit((peer, event))
    }

    /// Connected peers of which it is kept how; a multiple of what a swarm holds.
    private static let maximumMethodCount = 4096

    // MARK: Punches

    /// Punches kept of which no end was heard. The hole puncher has fewer at a time.
    private static let maximumPunchCount = 256

    struct PunchProgress {
        var method: TraversalMethod
        /// Over which the two talk; nil: a relayed connection.
        var backend: String?
        var start: ContinuousClock.Instant
        var startedAt: UInt64
        /// From 1.
        var attempt = 1
        var addresses: [Multiaddr] = []
        /// An attempt of this punch was recorded.
        var hasFailed = false

        init(_ method: TraversalMethod, over signaling: String) {
            self.method = method
            self.backend = signaling == PunchEvent.relaySignaling ? nil : signaling
            self.start = .now
            self.startedAt = WallClock.nowMilliseconds
        }
    }

    /// Why a punch could not work, as far as this node knows its own NAT and the peer has told of its.
    private func punchObstacle(with peer: PeerID) -> String? {
        let record = self.state.withLock { $0.capabilities.record(of: peer, now: WallClock.nowMilliseconds) }
        let isHere = self.reachability.snapshot.tcpMapping.behavior == .endpointDependent
        let isThere = record?.mapping == .addressDependent || record?.mapping == .addressAndPortDependent
        return switch (isHere, isThere) {
        case (true, true): "the NATs of both ends take another port for every destination"
        case (true, false): "the NAT here takes another port for every destination"
        case (false, true): "the peer's NAT takes another port for every destination"
        case (false, false): nil
        }
    }

    /// Keeps what is known of punches of which no end will be heard: the node ends.
    func abandonPunches() async {
        let punches = self.state.withLock { state in
            defer { state.punches = [:] }
            return state.punches
        }
        for (peer, progress) in punches { await self.abandoned(progress, with: peer) }
    }

    private func abandoned(_ progress: PunchProgress, with peer: PeerID) async {
        let obstacle = self.punchObstacle(with: peer).map { "; \($0)" } ?? ""
        let outcome = AttemptRecord.Outcome.unfinished("attempt \(progress.attempt) was under way when this node was done with the peer\(obstacle)")
        await self.report(.ended(self.record(of: progress, with: peer, outcome)), about: peer)
    }

    private func record(of progress: PunchProgress, with peer: PeerID, _ outcome: AttemptRecord.Outcome) -> AttemptRecord {
        AttemptRecord(
            peer: peer, method: progress.method, addresses: progress.addresses, startedAt: progress.startedAt,
            duration: ContinuousClock.now - progress.start, outcome: outcome,
            network: self.state.withLock { $0.climbs[peer]?.network } ?? self.network, signaling: progress.backend)
    }

    /// Turns what the hole puncher tells into attempts.
    func punchHappened(_ event: PunchEvent) async {
        let peer = event.peer
        let backend = event.signaling == PunchEvent.relaySignaling ? nil : event.signaling
        func record(_ progress: PunchProgress, _ outcome: AttemptRecord.Outcome) -> AttemptRecord {
            self.record(of: progress, with: peer, outcome)
        }
        func failed(_ cause: String) -> AttemptRecord.Outcome { .failed(backend.map { "agreed on over \($0): \(cause)" } ?? cause) }
        switch event.kind {
        case .started(let attempt, let punch):
            let method = TraversalMethod(punch, over: event.signaling)
            self.state.withLock { state in
                var progress = PunchProgress(method, over: event.signaling)
                progress.attempt = attempt
                progress.hasFailed = state.punches[peer]?.hasFailed ?? false
                state.punches[peer] = progress
                guard state.punches.count > Self.maximumPunchCount, let oldest = state.punches.min(by: { $0.value.start < $1.value.start }) else { return }
                state.punches[oldest.key] = nil
            }
            self.hub.emit((peer, .started(method)))
        case .synchronized(_, let addresses):
            self.state.withLock { $0.punches[peer]?.addresses = addresses }
        case .attemptFailed(let attempt):
            var progress = self.state.withLock { $0.punches[peer] } ?? PunchProgress(TraversalMethod(attempt.method, over: event.signaling), over: event.signaling)
            progress.method = TraversalMethod(attempt.method, over: event.signaling)
            let obstacle = self.punchObstacle(with: peer).map { "; \($0)" } ?? ""
            await self.report(.ended(record(progress, failed("attempt \(attempt.number): \(LadderClimb.cause(attempt.error))\(obstacle)"))), about: peer)
            self.state.withLock { $0.punches[peer]?.hasFailed = true }
        case .succeeded(let connection, let punch, let duration):
            var progress = self.state.withLock { $0.punches.removeValue(forKey: peer) } ?? PunchProgress(TraversalMethod(punch, over: event.signaling), over: event.signaling)
            if progress.addresses.isEmpty { progress.start = .now - duration }
            progress.method = TraversalMethod(punch, over: event.signaling)
            progress.addresses = [connection.remoteAddress]
            await self.report(.ended(record(progress, .succeeded)), about: peer)
            await self.report(.connected(connection, by: progress.method), about: peer)
        case .failed(let error):
            let progress = self.state.withLock { $0.punches.removeValue(forKey: peer) }
            if error.code == .closed, let progress { return await self.abandoned(progress, with: peer) }
            // Attempts that were made have told; the end of the node, and a punch beside another, are nobody's failure.
            guard progress?.hasFailed != true, ![.busy, .closed, .notRelayed].contains(error.code) else { return }
            await self.report(.ended(record(progress ?? PunchProgress(TraversalMethod(.tcpHolePunch, over: event.signaling), over: event.signaling), failed("\(error)"))), about: peer)
        }
    }
}

/// Notes whom this node sends something from its listening port: a NAT lets those in, so what they find proves nothing.
struct ContactNotingDialer: PeerDialer {
    let base: any PeerDialer
    let reachability: ReachabilityService

    var localPeer: PeerID { self.base.localPeer }

    func connection(to peer: PeerID) -> (any Connection)? { self.base.connection(to: peer) }

    func connect(to peer: PeerID, addresses: [Multiaddr], options: DialOptions) async throws -> any Connection {
        for address in addresses where !address.components.contains(.p2pCircuit) { self.reachability.contacting(address) }
        return try await self.base.connect(to: peer, addresses: addresses, options: options)
    }
}

extension TraversalMethod {
    /// - Parameter signaling: What the two ends agreed over.
    init(_ method: PunchMethod, over signaling: String = PunchEvent.relaySignaling) {
        self =
            switch method {
            case .direct: .direct
            case .tcpHolePunch: signaling == Self.dhtSignaling ? .dhtAssisted : .tcpHolePunch
            case .tcpSimultaneousOpen: signaling == Self.dhtSignaling ? .dhtAssisted : .tcpSimultaneousOpen
            }
    }
}
