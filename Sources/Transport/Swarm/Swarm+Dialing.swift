public import DIGIdentity
public import DIGMultiformats
public import DIGNet
import NIOCore
import Synchronization

extension Swarm {
    /// Connects to `peer`, or returns the open connection to it.
    ///
    /// All addresses are raced after RFC 8305; see ``DialConfiguration``. A dial under way to the same peer is joined, and the addresses
    /// that it did not know are tried if it fails. Cancelling stops the dial unless others wait for it.
    ///
    /// - Throws: `ConnectionError` `.allAttemptsFailed`, with a ``DialError`` as its cause that names each address; `.closed` after
    ///   shutdown; `CancellationError`.
    public func connect(to peer: PeerID, addresses: [Multiaddr], options: DialOptions) async throws -> any Connection {
        guard peer != self.localPeer else { throw ConnectionError(.peerMismatch, "\(peer) is this node itself") }
        return try await self.connect(to: .peer(peer), addresses: addresses, options: options)
    }

    /// The same with the options of an ordinary dial.
    public func connect(to peer: PeerID, addresses: [Multiaddr]) async throws -> any Connection {
        try await self.connect(to: peer, addresses: addresses, options: DialOptions())
    }

    /// Connects to `address`, to the peer it names or else to whoever answers there.
    public func connect(to address: Multiaddr, options: DialOptions = DialOptions()) async throws -> any Connection {
        if let peer = address.peerID { return try await self.connect(to: peer, addresses: [address], options: options) }
        return try await self.connect(to: .address(address), addresses: [address], options: options)
    }

    private enum Step {
        case reuse(SwarmConnection)
        case join(Dial)
        case start(Dial)
    }

    private func connect(to target: DialTarget, addresses: [Multiaddr], options: DialOptions) async throws -> SwarmConnection {
        var addresses = addresses
        while true {
            try Task.checkCancellation()
            let step = try self.state.withLock { state throws(ConnectionError) -> Step in
                guard !state.isClosed else { throw ConnectionError(.closed, "the swarm is shut down") }
                if case .peer(let peer) = target, let connection = state.pool.preferred(for: peer), !connection.isClosing {
                    return .reuse(connection)
                }
                if let dial = state.dials[target] { return .join(dial) }
                let dial = Dial(addresses: addresses)
                state.dials[target] = dial
                return .start(dial)
            }
            switch step {
            case .reuse(let connection):
                return connection
            case .start(let dial):
                // Owned by `dial`, which cancels it when nobody waits any more.
                dial.started(Task { [addresses] in await self.run(dial, to: target, addresses: addresses) })
                return self.current(try await dial.wait())
            case .join(let dial):
                do {
                    return self.current(try await dial.wait())
                } catch is CancellationError where !Task.isCancelled {
                    // Those who began the dial gave it up.
                } catch {
                    addresses = addresses.filter { !dial.addresses.contains($0) }
                    if addresses.isEmpty { throw error }
                }
            }
        }
    }

    /// The connection to hand out in place of `connection`, which may have become redundant meanwhile.
    private func current(_ connection: SwarmConnection) -> SwarmConnection {
        self.openConnection(to: connection.remotePeer) ?? connection
    }

    private enum DialEvent {
        case attempt(DialStateMachine.AttemptID, Result<SwarmConnection, any Error>)
        case resolution(Multiaddr, Result<[Multiaddr], any Error>)
        case deadline
    }

    /// Performs what a ``DialStateMachine`` asks for. Waiters are told before the last attempts have been cleaned up.
    private func run(_ dial: Dial, to target: DialTarget, addresses: [Multiaddr]) async {
        let finish: @Sendable (Result<SwarmConnection, any Error>) -> Void = { result in
            self.state.withLock { state in
                if state.dials[target] === dial { state.dials[target] = nil }
            }
            dial.finish(result)
        }
        let expected: PeerID? = if case .peer(let peer) = target { peer } else { nil }
        let clock = ContinuousClock()

        await withTaskGroup(of: DialEvent.self) { group in
            var machine = DialStateMachine(configuration: self.configuration.dialing, now: clock.now)
            self.add(addresses, expecting: expected, to: &machine, in: &group)
            var timer: ContinuousClock.Instant?

            while true {
                while let action = machine.poll(now: clock.now) {
                    switch action {
                    case .start(let id, let address):
                        group.addTask { .attempt(id, await self.attempt(address, expecting: expected)) }
                    case .fail(let error):
                        group.cancelAll()
                        let name = expected.map { "\($0)" } ?? addresses.map(\.description).joined(separator: ", ")
                        return finish(.failure(ConnectionError(.allAttemptsFailed, "could not connect to \(name)", cause: error)))
                    }
                }
                if let deadline = machine.deadline, deadline != timer {
                    timer = deadline
                    group.addTask {
                        // Cancelled: the group is ending.
                        try? await clock.sleep(until: deadline)
                        return .deadline
                    }
                }
                let event = await group.next()
                if case .attempt(let id, .success(let connection)) = event {
                    machine.attemptSucceeded(id)
                    group.cancelAll()
                    return finish(.success(connection))
                }
                guard !Task.isCancelled else {
                    group.cancelAll()
                    return finish(.failure(CancellationError()))
                }
                switch event {
                case .attempt(let id, .failure(let error)):
                    machine.attemptFailed(id, because: error, now: clock.now)
                case .resolution(let name, .success(let addresses)):
                    self.add(addresses, expecting: expected, to: &machine, in: &group)
                    machine.resolved(name)
                case .resolution(let name, .failure(let error)):
                    machine.resolutionFailed(name, because: error)
                case .attempt, .deadline, nil:
                    break
                }
            }
        }
    }

    /// Sorts out what can't or may not be dialed and asks for the addresses behind names.
    private func add(
        _ addresses: [Multiaddr], expecting expected: PeerID?, to machine: inout DialStateMachine, in group: inout TaskGroup<DialEvent>
    ) {
        var usable: [Multiaddr] = []
        for address in addresses {
            if let expected, let named = address.peerID, named != expected {
                machine.rejected(address, because: ConnectionError(.peerMismatch, "the address belongs to \(named)"))
                continue
            }
            let address = expected == nil ? address : address.removingPeerID()
            if address.components.contains(where: { if case .dnsaddr = $0 { true } else { false } }) {
                machine.rejected(address, because: ConnectionError(.noCommonProtocol, "dnsaddr names need TXT records, which are not looked up"))
            } else if !self.configuration.addressFilter(address) {
                machine.rejected(address, because: ConnectionError(.limitExceeded, "the configuration forbids this address"))
            } else if let transport = self.transports.first(where: { $0.canDial(address) }) {
                guard address.hasName else {
                    usable.append(address)
                    continue
                }
                if machine.resolving(address) {
                    group.addTask {
                        do {
                            return .resolution(address, .success(try await transport.resolve(address)))
                        } catch {
                            return .resolution(address, .failure(error))
                        }
                    }
                }
            } else {
                machine.rejected(address, because: ConnectionError(.noCommonProtocol, "no transport dials this address"))
            }
        }
        machine.added(usable)
    }

    private func attempt(_ address: Multiaddr, expecting expected: PeerID?) async -> Result<SwarmConnection, any Error> {
        guard let transport = self.transports.first(where: { $0.canDial(address) }) else {
            return .failure(ConnectionError(.noCommonProtocol, "no transport dials this address"))
        }
        let eventLoop = self.group.next()
        let upgrade = ConnectionUpgrade(
            role: .dialer, expecting: expected, remoteAddress: address.removingPeerID(), on: eventLoop, swarm: self)
        // Owned by `upgrade`, which cancels it unless the peer may use the connection already.
        let dialing = Task {
            try await transport.dial(address, for: .connect, on: eventLoop) { channel in
                channel.eventLoop.makeCompletedFuture { try upgrade.start(on: channel) }
            }
        }
        upgrade.started(dialing)
        return await withTaskCancellationHandler {
            do {
                _ = try await dialing.value
            } catch {
                upgrade.dialFailed(error)
                return .failure(error)
            }
            upgrade.limit(to: self.configuration.handshakeTimeout)
            do {
                return .success(try await upgrade.result.get())
            } catch {
                return .failure(error)
            }
        } onCancel: {
            upgrade.cancel()
        }
    }
}

extension Multiaddr {
    fileprivate var hasName: Bool {
        self.components.contains {
            switch $0 {
            case .dns, .dns4, .dns6: true
            default: false
            }
        }
    }
}
