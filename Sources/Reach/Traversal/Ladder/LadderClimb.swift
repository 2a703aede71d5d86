import DIGHolePunching
import DIGIdentity
import DIGMultiformats
import DIGNet

/// Performs what a ``LadderStateMachine`` asks for, for one peer.
struct LadderClimb: Sendable {
    /// What becomes of the peer by other means than this climb's own dials.
    enum Signal: Sendable {
        /// The peer dialed, or a punch went through: not a dial of the climb's own.
        case direct(any Connection, TraversalMethod)
        /// One attempt of a punch over a relayed connection is over; others follow, perhaps by another method.
        case punchAttemptFailed(TraversalMethod, cause: String)
        /// No attempt follows over a relayed connection.
        case punchFailed(cause: String)
    }

    /// Tells signals until cancelled.
    typealias Watcher = @Sendable (_ tell: @escaping @Sendable (Signal) -> Void) async -> Void

    let peer: PeerID
    let rungs: [LadderStateMachine.Rung]
    let configuration: LadderConfiguration
    let source: DialOptions.AddressSource
    let network: NetworkFingerprint
    let dialer: any PeerDialer
    /// Begins to listen for signals at once; none is missed that comes between the call and the call of what it returns.
    let watch: @Sendable () -> Watcher
    /// Agrees with the peer on a punch through a backend of signaling, and makes it.
    let coordinate: @Sendable (_ signaling: String, _ budget: Duration) async throws -> HolePuncher.Outcome
    /// Punches tell of their attempts themselves: of those, only what came before and what took too long is reported here.
    let report: @Sendable (TraversalEvent) async -> Void

    private enum Event: Sendable {
        case ended(TraversalMethod, Result<any Connection, any Error>)
        /// The peer will be talked to through a backend: this end makes the punch.
        case coordinating(TraversalMethod)
        /// Such a punch is over.
        ///
        /// - Parameter how: Nil if a connection was there already.
        case punched(TraversalMethod, any Connection, how: TraversalMethod?)
        case signal(Signal)
        case wake
    }

    private struct Running {
        var rung: LadderStateMachine.Rung
        var task: Task<Void, Never>?
        /// A punch that this climb makes, so that what is told of others does not concern it.
        var isOwnPunch = false
        var start: ContinuousClock.Instant
        var startedAt: UInt64
    }

    /// Runs until nothing more can come of it. `result` gets the first connection, or a ``TraversalError`` that names what each method did.
    ///
    /// Cancelling stops all methods; none is left running when this returns.
    func run(result: SharedTask<TraversalResult>) async {
        let clock = ContinuousClock()
        let begin = clock.now
        var machine = LadderStateMachine(rungs: self.rungs, configuration: self.configuration, now: begin)
        let (events, continuation) = AsyncStream.makeStream(of: Event.self)
        var running: [TraversalMethod: Running] = [:]
        var connections: [TraversalMethod: any Connection] = [:]
        var tasks: [Task<Void, Never>] = []
        var attempts: [AttemptRecord] = []
        var timer: (instant: ContinuousClock.Instant, task: Task<Void, Never>)?
        /// Why no punch will come about any more.
        var punchFailure: String?

        func ended(_ method: TraversalMethod, _ outcome: AttemptRecord.Outcome, isToldElsewhere: Bool = false) async {
            guard let entry = running.removeValue(forKey: method) else { return }
            let addresses = connections[method].map { [$0.remoteAddress] } ?? entry.rung.allAddresses
            let record = AttemptRecord(
                peer: self.peer, method: method, addresses: addresses, startedAt: entry.startedAt, duration: clock.now - entry.start,
                outcome: outcome, network: self.network)
            attempts.append(record)
            if !isToldElsewhere { await self.report(.ended(record)) }
        }

        func connected(_ connection: any Connection, by method: TraversalMethod) async {
            await self.report(.connected(connection, by: method))
            result.finish(.success(TraversalResult(connection: connection, method: method, duration: clock.now - begin)))
        }

        // A relayed path of this climb's own may be for talking only, and ends with it.
        let wasConnected = self.dialer.connection(to: self.peer) != nil
        // What else connects to the peer is watched for from before the first attempt.
        let watcher = self.watch()
        let watch = Task {
            await watcher { continuation.yield(.signal($0)) }
        }
        var iterator = events.makeAsyncIterator()
        climbing: while true {
            while let action = machine.poll(now: clock.now) {
                switch action {
                case .start(let rung):
                    await self.report(.started(rung.method))
                    running[rung.method] = Running(rung: rung, start: clock.now, startedAt: WallClock.nowMilliseconds)
                    if rung.method.isPunch, let punchFailure {
                        await ended(rung.method, .failed(punchFailure), isToldElsewhere: true)
                        machine.failed(rung.method, now: clock.now)
                        continue
                    }
                    let task = Task {
                        do {
                            continuation.yield(try await self.attempt(rung) { continuation.yield(.coordinating(rung.method)) })
                        } catch {
                            continuation.yield(.ended(rung.method, .failure(error)))
                        }
                    }
                    tasks.append(task)
                    running[rung.method]?.task = task
                case .cancel(let method, let cause):
                    running[method]?.task?.cancel()
                    await ended(method, cause.map { .failed($0) } ?? .overtaken)
                case .connected(let method):
                    if let connection = connections[method] { await connected(connection, by: method) }
                case .fail:
                    if let open = self.dialer.connection(to: self.peer), !open.isRelayed || self.configuration.allowsRelayedPaths {
                        // It came about unnoticed.
                        await connected(open, by: open.isRelayed ? .circuitRelay : .direct)
                        continue
                    }
                    let message = attempts.isEmpty ? "\(self.peer) has no address that can be tried" : "\(self.peer) could not be reached by any method"
                    result.finish(.failure(TraversalError(attempts.isEmpty ? .noMethod : .allMethodsFailed, message, attempts: attempts)))
                }
            }
            if machine.isFinished { break climbing }
            if let deadline = machine.deadline, timer?.instant != deadline {
                timer?.task.cancel()
                timer = (
                    deadline,
                    Task {
                        // Cancelled: another deadline took its place.
                        try? await clock.sleep(until: deadline)
                        continuation.yield(.wake)
                    }
                )
            }
            let event = await iterator.next()
            // The stream ends for a task that is cancelled.
            guard let event, !Task.isCancelled else { break climbing }
            switch event {
            case .ended(let method, .success(let connection)):
                guard running[method] != nil else { continue }
                if method.isRelayed, !connection.isRelayed {
                    // The peer was faster.
                    await ended(method, .overtaken)
                    await connected(connection, by: .direct)
                    machine.stop()
                    continue
                }
                connections[method] = connection
                await ended(method, .succeeded)
                machine.succeeded(method, now: clock.now)
            case .ended(let method, .failure(let error)):
                guard let entry = running[method] else { continue }
                // A backend that nobody reads was not even asked.
                let isTold = entry.isOwnPunch && (error as? HolePunchError).map { $0.code != .closed } ?? false
                await ended(method, .failed(Self.cause(error)), isToldElsewhere: isTold)
                machine.failed(method, now: clock.now)
            case .coordinating(let method):
                running[method]?.isOwnPunch = true
            case .punched(let method, let connection, let how):
                guard running[method] != nil else { continue }
                connections[method] = connection
                let isPunched = how?.isPunch == true
                await ended(method, isPunched ? .succeeded : .overtaken, isToldElsewhere: isPunched)
                await connected(connection, by: how ?? .direct)
                machine.stop()
            case .signal(.direct(let connection, let method)):
                if let punch = running.keys.first(where: \.isPunch) {
                    connections[punch] = connection
                    await ended(punch, method.isPunch ? .succeeded : .overtaken, isToldElsewhere: method.isPunch)
                }
                await connected(connection, by: method)
                machine.stop()
            case .signal(.punchAttemptFailed(let method, let cause)):
                guard let entry = running[method], !entry.isOwnPunch, self.rungs.contains(where: { $0.method.isPunch && $0.method != method }) else { continue }
                // The next attempt may be of the other method, whose turn it is then.
                guard method == .tcpHolePunch else { continue }
                running[method]?.task?.cancel()
                await ended(method, .failed(cause), isToldElsewhere: true)
                machine.failed(method, now: clock.now)
            case .signal(.punchFailed(let cause)):
                punchFailure = cause
                for (method, entry) in running where method.isPunch && !entry.isOwnPunch {
                    running[method]?.task?.cancel()
                    await ended(method, .failed(cause), isToldElsewhere: true)
                    machine.failed(method, now: clock.now)
                }
            case .wake:
                break
            }
        }
        timer?.task.cancel()
        watch.cancel()
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
        await watch.value
        // Cancelled in the middle: what is left has been ended, and nothing will tell of it.
        for method in running.keys.sorted(by: { $0.layer < $1.layer }) {
            await ended(method, .unfinished("nobody waits for it any more"), isToldElsewhere: method.isPunch && running[method]?.isOwnPunch == true)
        }
        if !self.configuration.allowsRelayedPaths, !wasConnected, let open = self.dialer.connection(to: self.peer), open.isRelayed, open.role == .dialer {
            await open.close()
        }
        result.finish(.failure(CancellationError()))
    }

    // MARK: Attempts

    private func attempt(_ rung: LadderStateMachine.Rung, coordinating: () -> Void) async throws -> Event {
        var options = DialOptions()
        options.source = self.source
        options.timeout = self.configuration.budget(of: rung.method)
        if rung.method.isPunch { return try await self.punch(rung, options: options, coordinating: coordinating) }
        if rung.method.isRelayed {
            if let open = self.dialer.connection(to: self.peer) { return .ended(rung.method, .success(open)) }
        } else {
            options.requiresDirect = true
        }
        // Of its own: it must not wait for what another method does.
        options.requiresNew = true
        return .ended(rung.method, .success(try await self.dial(rung, options: options)))
    }

    /// Opens the path through which the two ends agree, and waits: the end that was called begins (DCUtR, "Upgrading"). Without such a path the
    /// two agree through the backends of signaling, and this end begins.
    private func punch(_ rung: LadderStateMachine.Rung, options: DialOptions, coordinating: () -> Void) async throws -> Event {
        var connection = self.dialer.connection(to: self.peer)
        if connection == nil, !rung.allAddresses.isEmpty {
            do {
                connection = try await self.dial(rung, options: options)
            } catch {
                try Task.checkCancellation()
                guard !rung.signaling.isEmpty else { throw error }
            }
        }
        if let connection {
            guard connection.isRelayed else { return .ended(rung.method, .success(connection)) }
            // The direct connection is reported from elsewhere; the machine ends this wait.
            try await Task.sleep(for: self.configuration.budget(of: rung.method) * 2)
            throw ConnectionError(.timedOut, "the peer did not get through")
        }
        coordinating()
        var failure: any Error = ConnectionError(.allAttemptsFailed, "there is no way to agree with the peer on a punch")
        for backend in rung.signaling {
            do {
                let (connection, method) = try await self.coordinate(backend, for: rung)
                return .punched(rung.method, connection, how: method.map { TraversalMethod($0, over: backend) })
            } catch {
                try Task.checkCancellation()
                failure = error
            }
        }
        throw failure
    }

    /// Between looks at whether another punch with the peer is over.
    private static let busyRetryInterval: Duration = .milliseconds(250)

    private func coordinate(_ backend: String, for rung: LadderStateMachine.Rung) async throws -> HolePuncher.Outcome {
        while true {
            do {
                return try await self.coordinate(backend, self.configuration.budget(of: rung.method))
            } catch let error as HolePunchError where error.code == .busy {
                // The peer has begun one, which is as good. What comes of it is reported; if nothing does, it is this end's turn.
                try await Task.sleep(for: Self.busyRetryInterval)
            }
        }
    }

    /// Dials what the user named on the user's word, and what the peer says about itself on a stranger's, at the same time.
    private func dial(_ rung: LadderStateMachine.Rung, options: DialOptions) async throws -> any Connection {
        var cautious = options
        cautious.source = .stranger
        guard !rung.heard.isEmpty else { return try await self.dialer.connect(to: self.peer, addresses: rung.addresses, options: options) }
        guard !rung.addresses.isEmpty, options.source != .stranger else {
            return try await self.dialer.connect(to: self.peer, addresses: rung.allAddresses, options: cautious)
        }
        return try await withThrowingTaskGroup(of: (any Connection).self) { [cautious] group in
            group.addTask { try await self.dialer.connect(to: self.peer, addresses: rung.addresses, options: options) }
            group.addTask { try await self.dialer.connect(to: self.peer, addresses: rung.heard, options: cautious) }
            var causes: [String] = []
            while let outcome = await group.nextResult() {
                switch outcome {
                case .success(let connection):
                    group.cancelAll()
                    return connection
                case .failure(let error):
                    try Task.checkCancellation()
                    causes.append(Self.cause(error))
                }
            }
            throw ConnectionError(.allAttemptsFailed, causes.joined(separator: "; "))
        }
    }

    /// Without what the record says anyway.
    static func cause(_ error: any Error) -> String {
        if let error = error as? ConnectionError, error.code == .allAttemptsFailed, let cause = error.cause { return "\(cause)" }
        return "\(error)"
    }
}
