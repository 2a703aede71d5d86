import DIGIdentity
import DIGMultiformats
import DIGNet
import Logging

/// One punch: performs what a ``PunchStateMachine`` asks for.
struct PunchSession: Sendable {
    let peer: PeerID
    let side: PunchEvent.Side
    /// What the two talk over.
    let signaling: String
    let dialer: any PeerDialer
    var settings: PunchSettings
    /// Where the peer should aim, as far as is known now.
    let ownAddresses: @Sendable () -> [Multiaddr]
    /// Yields when that may be something else.
    let addressChanges: AsyncStream<Void>
    let selection: PunchAddresses
    /// Of all punches.
    let targets: PunchTargets
    let source: DialOptions.AddressSource
    /// Whether this end of a connection is the listening port, from which punches leave and ordinary dials do not; nil if that is not known.
    let usesListeningPort: @Sendable (any Connection) -> Bool?
    /// Ends when another punch takes the place of this one.
    let stopped: AsyncStream<Never>
    let hub: EventBroadcast<PunchEvent>
    let refusals: RefusalLog
    private let startedAt = ContinuousClock.now

    init(
        peer: PeerID, side: PunchEvent.Side, signaling: String, dialer: any PeerDialer, settings: PunchSettings,
        ownAddresses: @escaping @Sendable () -> [Multiaddr], addressChanges: AsyncStream<Void>, selection: PunchAddresses, targets: PunchTargets,
        source: DialOptions.AddressSource, usesListeningPort: @escaping @Sendable (any Connection) -> Bool?, stopped: AsyncStream<Never>, hub: EventBroadcast<PunchEvent>, refusals: RefusalLog
    ) {
        self.peer = peer
        self.side = side
        self.signaling = signaling
        self.dialer = dialer
        self.settings = settings
        self.ownAddresses = ownAddresses
        self.addressChanges = addressChanges
        self.selection = selection
        self.targets = targets
        self.source = source
        self.usesListeningPort = usesListeningPort
        self.stopped = stopped
        self.hub = hub
        self.refusals = refusals
    }

    private enum Input: Sendable {
        case message(PunchMessage)
        case signalingEnded(any Error)
        case dialed(Int, Result<any Connection, any Error>)
        /// The ordinary dial beside the punch.
        case dialedDirectly(Result<any Connection, any Error>)
        case ownAddressesChanged
        case deadline
        case superseded
    }

    /// The addresses of the peer's that may be dialed. That it names others is logged once for each peer.
    func select(_ addresses: [Multiaddr]) -> [Multiaddr] {
        let (usable, refused) = self.selection.select(addresses, of: self.peer)
        if let (address, refusal) = refused.first(where: { $0.1 == .notPublic || $0.1 == .otherPeer }) {
            self.refusals.note("a peer asks for a dial that is refused", of: self.peer, because: "\(address): \(refusal.rawValue)")
        }
        return usable
    }

    /// - Parameter directAddresses: Where to dial in the ordinary way at once. Nil: never dial like that.
    func run(_ machine: some PunchStateMachine, over channel: any PunchChannel, directly directAddresses: [Multiaddr]?) async throws
        -> HolePuncher.Outcome
    {
        do {
            let outcome = try await self.drive(machine, over: channel, directly: directAddresses)
            channel.finish()
            return outcome
        } catch {
            channel.close()
            if error is CancellationError { throw self.givenUp() }
            throw error
        }
    }

    private func drive(_ machine: some PunchStateMachine, over channel: any PunchChannel, directly directAddresses: [Multiaddr]?) async throws
        -> HolePuncher.Outcome
    {
        let clock = ContinuousClock()
        var machine = machine
        return try await withThrowingTaskGroup(of: Input.self) { group in
            defer { group.cancelAll() }
            var dial: Task<any Connection, any Error>?
            defer { dial?.cancel() }
            var timer: ContinuousClock.Instant?
            var reported = 0
            var directFailures: [HolePunchError.Attempt] = []

            group.addTask { [stopped] in
                for await _ in stopped {}
                return .superseded
            }
            if let directAddresses, !directAddresses.isEmpty { self.dialDirectly(directAddresses, in: &group) }
            self.receive(from: channel, in: &group)
            self.awaitAddresses(in: &group)
            var action = machine.started(now: clock.now)

            while true {
                for failure in machine.failures.dropFirst(reported) { self.emit(.attemptFailed(failure)) }
                reported = machine.failures.count
                switch action {
                case .send(let message):
                    dial?.cancel()
                    dial = nil
                    if case .connect = message, let method = self.settings.method(of: machine.attempt) {
                        self.emit(.started(attempt: machine.attempt, method: method))
                    }
                    do {
                        try await channel.send(message)
                    } catch {
                        try Task.checkCancellation()
                        action = machine.signalingEnded(because: error)
                        continue
                    }
                case .dial(let addresses, let roundTrip):
                    self.emit(.synchronized(roundTrip: roundTrip, addresses: addresses))
                    let attempt = machine.attempt
                    let task = self.punch(addresses, until: machine.deadline)
                    dial = task
                    group.addTask { .dialed(attempt, await Self.result(of: task)) }
                    if directAddresses != nil { self.dialDirectly(addresses, in: &group) }
                case .fail(var error):
                    error.attempts += directFailures
                    throw self.failed(error)
                case .none:
                    break
                }
                if let deadline = machine.deadline, deadline != timer {
                    timer = deadline
                    group.addTask {
                        try await clock.sleep(until: deadline)
                        return .deadline
                    }
                }
                guard let input = try await group.next() else { throw CancellationError() }
                try Task.checkCancellation()
                switch input {
                case .message(let message):
                    action = machine.received(message, now: clock.now)
                    self.receive(from: channel, in: &group)
                case .signalingEnded(let error):
                    if error is PunchDecodingError {
                        throw self.failed(
                            HolePunchError(.protocolViolation, "the peer broke the rules", attempts: machine.failures, cause: error))
                    }
                    action = machine.signalingEnded(because: error)
                case .dialed(let attempt, .success(let connection)):
                    machine.dialSucceeded()
                    return self.succeeded(connection, by: self.method(of: connection, attempt: attempt, reporter: .punch))
                case .dialed(let attempt, .failure(let error)):
                    action = machine.dialFailed(attempt, because: error, now: clock.now)
                case .dialedDirectly(.success(let connection)):
                    machine.dialSucceeded()
                    let attempt = dial == nil ? nil : machine.attempt
                    return self.succeeded(connection, by: self.method(of: connection, attempt: attempt, reporter: .dialBack))
                case .dialedDirectly(.failure(let error)):
                    directFailures.append(.init(number: machine.attempt, method: .direct, error: error))
                    action = .none
                case .ownAddressesChanged:
                    action = machine.ownAddressesChanged(self.ownAddresses(), now: clock.now)
                    self.awaitAddresses(in: &group)
                case .deadline:
                    action = machine.deadlineReached(now: clock.now)
                case .superseded:
                    throw self.failed(
                        HolePunchError(.busy, "the peer began a punch of its own, or anew", attempts: machine.failures))
                }
            }
        }
    }

    /// To what a connection is owed. The first one ends every wait for a connection, so it may be another's than the dial's that reports it.
    ///
    /// - Parameters:
    ///   - attempt: The number of the punch under way, if there is one.
    ///   - reporter: Whose dial it ended: the punch's, or the ordinary one beside it.
    private func method(of connection: any Connection, attempt: Int?, reporter: DialPurpose) -> PunchMethod {
        guard let attempt else { return .direct }
        let punch = self.settings.method(of: attempt) ?? .tcpHolePunch
        // The peer came by the hole, or by this end's.
        if connection.role == .listener { return punch }
        return self.usesListeningPort(connection) ?? (reporter == .punch) ? punch : .direct
    }

    /// By this end, which is not the peer's failure.
    func givenUp() -> CancellationError {
        self.emit(.failed(HolePunchError(.closed, "the punch was given up")))
        return CancellationError()
    }

    func failed(_ error: HolePunchError) -> HolePunchError {
        self.emit(.failed(error))
        return error
    }

    private func succeeded(_ connection: any Connection, by method: PunchMethod) -> HolePuncher.Outcome {
        self.emit(.succeeded(connection, method: method, duration: .now - self.startedAt))
        return (connection, method)
    }

    private func emit(_ kind: PunchEvent.Kind) {
        self.hub.emit(PunchEvent(peer: self.peer, side: self.side, signaling: self.signaling, kind: kind))
    }

    private func receive(from channel: any PunchChannel, in group: inout ThrowingTaskGroup<Input, any Error>) {
        group.addTask {
            do { return .message(try await channel.receive()) } catch { return .signalingEnded(error) }
        }
    }

    /// An input for the next change only.
    private func awaitAddresses(in group: inout ThrowingTaskGroup<Input, any Error>) {
        group.addTask { [addressChanges] in
            for await _ in addressChanges { return .ownAddressesChanged }
            // It ends with the task.
            throw CancellationError()
        }
    }

    /// The role after a simultaneous open, where both ends dialed, is agreed on beforehand: the side that answered (`A`) is the client, the
    /// other (`B`) the server (DCUtR, "The Protocol" step 5, as amended by libp2p/specs#361).
    ///
    /// go-libp2p does it the other way round (go-libp2p#3171): the swarm finds out which side the peer takes.
    ///
    /// Where the NAT here gives every destination another port the peer's SYN goes astray: no simultaneous open can come about, only a dial that
    /// the peer's **listener** accepts, and there this end is the client whatever its side.
    private func punch(_ addresses: [Multiaddr], until deadline: ContinuousClock.Instant?) -> Task<any Connection, any Error> {
        var options = self.options(for: .punch, until: deadline)
        options.role = self.side == .initiator && self.settings.mapping != .endpointDependent ? .listener : .dialer
        let aimed = self.targets.take(addresses)
        // Owned by the session, which cancels it when the peer begins another attempt and at the end.
        return Task { [options] in
            defer { self.targets.release(aimed) }
            guard !aimed.isEmpty else { throw HolePunchError(.limitExceeded, "as many punches as may be aim at the peer's machines already") }
            return try await self.connect(to: aimed, options: options)
        }
    }

    /// From a port of its own, so that it does not take the four-tuple of the punch.
    private func dialDirectly(_ addresses: [Multiaddr], in group: inout ThrowingTaskGroup<Input, any Error>) {
        let options = self.options(for: .dialBack, until: nil)
        group.addTask {
            do { return .dialedDirectly(.success(try await self.connect(to: addresses, options: options))) } catch { return .dialedDirectly(.failure(error)) }
        }
    }

    private func options(for purpose: DialPurpose, until deadline: ContinuousClock.Instant?) -> DialOptions {
        var options = DialOptions()
        options.purpose = purpose
        options.requiresDirect = true
        options.source = self.source
        options.timeout = min(self.settings.attemptTimeout, deadline.map { max(.zero, $0 - .now) } ?? self.settings.attemptTimeout)
        return options
    }

    private func connect(to addresses: [Multiaddr], options: DialOptions) async throws -> any Connection {
        let connection = try await self.dialer.connect(to: self.peer, addresses: addresses, options: options)
        guard !connection.isRelayed else { throw ConnectionError(.protocolViolation, "the connection leads through a relay") }
        return connection
    }

    private static func result(of task: Task<any Connection, any Error>) async -> Result<any Connection, any Error> {
        await withTaskCancellationHandler {
            await task.result
        } onCancel: {
            task.cancel()
        }
    }
}
