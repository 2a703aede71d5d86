import DIGIdentity
import DIGMultiformats
import DIGNet

/// Performs what a ``LadderStateMachine`` asks for, for one peer.
struct LadderClimb: Sendable {
    let peer: PeerID
    let rungs: [LadderStateMachine.Rung]
    let configuration: LadderConfiguration
    let source: DialOptions.AddressSource
    let network: NetworkFingerprint
    let dialer: any PeerDialer
    /// Direct connections to the peer that come about by other means, from now on: the peer dialed, or a punch went through.
    let directConnections: @Sendable () -> AsyncStream<(any Connection, TraversalMethod)>
    let report: @Sendable (TraversalEvent) async -> Void

    private enum Event: Sendable {
        case ended(TraversalMethod, Result<any Connection, any Error>)
        case direct(any Connection, TraversalMethod)
        case wake
    }

    /// Runs until nothing more can come of it. `result` gets the first connection, or a ``TraversalError`` that names what each method did.
    ///
    /// Cancelling stops all methods; none is left running when this returns.
    func run(result: SharedTask<TraversalResult>) async {
        let clock = ContinuousClock()
        let begin = clock.now
        var machine = LadderStateMachine(rungs: self.rungs, configuration: self.configuration, now: begin)
        let (events, continuation) = AsyncStream.makeStream(of: Event.self)
        var running: [TraversalMethod: (task: Task<Void, Never>, rung: LadderStateMachine.Rung, start: ContinuousClock.Instant, startedAt: UInt64)] = [:]
        var connections: [TraversalMethod: any Connection] = [:]
        var tasks: [Task<Void, Never>] = []
        var attempts: [AttemptRecord] = []
        var timer: (instant: ContinuousClock.Instant, task: Task<Void, Never>)?

        func ended(_ method: TraversalMethod, _ outcome: AttemptRecord.Outcome) async {
            guard let entry = running.removeValue(forKey: method) else { return }
            let addresses = connections[method].map { [$0.remoteAddress] } ?? entry.rung.addresses
            let record = AttemptRecord(
                peer: self.peer, method: method, addresses: addresses, startedAt: entry.startedAt, duration: clock.now - entry.start,
                outcome: outcome, network: self.network)
            attempts.append(record)
            await self.report(.ended(record))
        }

        // What else connects to the peer is watched for from before the first attempt.
        let watched = self.directConnections()
        let watch = Task {
            for await (connection, method) in watched { continuation.yield(.direct(connection, method)) }
        }
        var iterator = events.makeAsyncIterator()
        climbing: while true {
            while let action = machine.poll(now: clock.now) {
                switch action {
                case .start(let rung):
                    await self.report(.started(rung.method))
                    let task = Task {
                        do {
                            continuation.yield(.ended(rung.method, .success(try await self.attempt(rung))))
                        } catch {
                            continuation.yield(.ended(rung.method, .failure(error)))
                        }
                    }
                    tasks.append(task)
                    running[rung.method] = (task, rung, clock.now, WallClock.nowMilliseconds)
                case .cancel(let method, let cause):
                    running[method]?.task.cancel()
                    await ended(method, cause.map { .failed($0) } ?? .overtaken)
                case .connected(let method):
                    guard let connection = connections[method] else { continue }
                    await self.report(.connected(connection, by: method))
                    result.finish(.success(TraversalResult(connection: connection, method: method, duration: clock.now - begin)))
                case .fail:
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
                connections[method] = connection
                await ended(method, .succeeded)
                machine.succeeded(method, now: clock.now)
            case .ended(let method, .failure(let error)):
                guard running[method] != nil else { continue }
                await ended(method, .failed(Self.cause(error)))
                machine.failed(method, now: clock.now)
            case .direct(let connection, let method):
                if let punch = running.keys.first(where: \.isPunch) {
                    connections[punch] = connection
                    await ended(punch, .succeeded)
                }
                await self.report(.connected(connection, by: method))
                result.finish(.success(TraversalResult(connection: connection, method: method, duration: clock.now - begin)))
                machine.stop()
            case .wake:
                break
            }
        }
        timer?.task.cancel()
        watch.cancel()
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
        result.finish(.failure(CancellationError()))
    }

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
        return try await self.dialer.connect(to: self.peer, addresses: rung.addresses, options: options)
    }

    /// Opens the path through which the two ends agree, and waits: the end that was called begins (DCUtR, "Upgrading").
    private func punch(_ rung: LadderStateMachine.Rung, options: DialOptions) async throws -> any Connection {
        let connection: any Connection
        if let open = self.dialer.connection(to: self.peer) {
            connection = open
        } else {
            connection = try await self.dialer.connect(to: self.peer, addresses: rung.addresses, options: options)
        }
        guard connection.isRelayed else { return connection }
        // The direct connection is reported from elsewhere; the machine ends this wait.
        try await Task.sleep(for: self.configuration.budget(of: rung.method) * 2)
        throw ConnectionError(.timedOut, "the peer did not get through")
    }

    /// Without what the record says anyway.
    static func cause(_ error: any Error) -> String {
        if let error = error as? ConnectionError, error.code == .allAttemptsFailed, let cause = error.cause { return "\(cause)" }
        return "\(error)"
    }
}
