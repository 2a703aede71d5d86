import DIGIdentity
import DIGMultiformats
import DIGNet

/// Performs what a ``LadderStateMachine`` asks for, for one peer.
struct LadderClimb: Sendable {
    /// What becomes of the peer by other means than this climb's own dials.
    enum Signal: Sendable {
        /// The peer dialed, or a punch went through: not a dial of the climb's own.
        case direct(any Connection, TraversalMethod)
        /// One attempt of a punch is over; others follow, perhaps by another method.
        case punchAttemptFailed(TraversalMethod, cause: String)
        /// No attempt follows.
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
    /// Punches tell of their attempts themselves: of those, only what came before and what took too long is reported here.
    let report: @Sendable (TraversalEvent) async -> Void

    private enum Event: Sendable {
        case ended(TraversalMethod, Result<any Connection, any Error>)
        case signal(Signal)
        case wake
    }

    private struct Running {
        var rung: LadderStateMachine.Rung
        var task: Task<Void, Never>?
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
                            continuation.yield(.ended(rung.method, .success(try await self.attempt(rung))))
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
                    if let open = self.dialer.connection(to: self.peer) {
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
                guard running[method] != nil else { continue }
                await ended(method, .failed(Self.cause(error)))
                machine.failed(method, now: clock.now)
            case .signal(.direct(let connection, let method)):
                if let punch = running.keys.first(where: \.isPunch) {
                    connections[punch] = connection
                    await ended(punch, method.isPunch ? .succeeded : .overtaken, isToldElsewhere: method.isPunch)
                }
                await connected(connection, by: method)
                machine.stop()
            case .signal(.punchAttemptFailed(let method, let cause)):
                guard running[method] != nil, self.rungs.contains(where: { $0.method.isPunch && $0.method != method }) else { continue }
                // The next attempt may be of the other method, whose turn it is then.
                guard method == .tcpHolePunch else { continue }
                running[method]?.task?.cancel()
                await ended(method, .failed(cause), isToldElsewhere: true)
                machine.failed(method, now: clock.now)
            case .signal(.punchFailed(let cause)):
                punchFailure = cause
                for method in running.keys where method.isPunch {
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
        result.finish(.failure(CancellationError()))
    }

    // MARK: Attempts

    private func attempt(_ rung: LadderStateMachine.Rung) async throws -> any Connection {
        var options = DialOptions()
        options.source = self.source
        options.timeout = self.configuration.budget(of: rung.method)
        if rung.method.isPunch { return try await self.punch(rung, options: options) }
        if rung.method.isRelayed {
            if let open = self.dialer.connection(to: self.peer) { return open }
        } else {
            options.requiresDirect = true
        }
        // Of its own: it must not wait for what another method does.
        options.requiresNew = true
        return try await self.dial(rung, options: options)
    }

    /// Opens the path through which the two ends agree, and waits: the end that was called begins (DCUtR, "Upgrading").
    private func punch(_ rung: LadderStateMachine.Rung, options: DialOptions) async throws -> any Connection {
        let connection: any Connection
        if let open = self.dialer.connection(to: self.peer) {
            connection = open
        } else {
            connection = try await self.dial(rung, options: options)
        }
        guard connection.isRelayed else { return connection }
        // The direct connection is reported from elsewhere; the machine ends this wait.
        try await Task.sleep(for: self.configuration.budget(of: rung.method) * 2)
        throw ConnectionError(.timedOut, "the peer did not get through")
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
