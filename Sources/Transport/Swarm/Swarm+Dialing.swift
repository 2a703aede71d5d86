public import DIGIdentity
public import DIGMultiformats
public import DIGNet
import Logging
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
        case start(Dial, DialKey)
    }

    private func connect(to target: DialTarget, addresses: [Multiaddr], options: DialOptions) async throws -> SwarmConnection {
        var addresses = addresses
        var options = options
        // Over a relay there is no port to leave from.
        if options.purpose != .connect { options.requiresDirect = true }
        while true {
            try Task.checkCancellation()
            let step = try self.state.withLock { state throws(ConnectionError) -> Step in
                guard !state.isClosed else { throw ConnectionError(.closed, "the swarm is shut down") }
                if !options.requiresNew, case .peer(let peer) = target, let connection = state.pool.preferred(for: peer),
                    !connection.isClosing, !(options.requiresDirect && connection.isRelayed)
                {
                    return .reuse(connection)
                }
                var key = DialKey(target: target, options: options)
                if options.requiresNew {
                    state.dialSerial += 1
                    key.serial = state.dialSerial
                } else if let dial = state.dials[key] {
                    return .join(dial)
                }
                let dial = Dial(addresses: addresses, options: options)
                state.dials[key] = dial
                return .start(dial, key)
            }
            switch step {
            case .reuse(let connection):
                return connection
            case .start(let dial, let key):
                // Owned by `dial`, which cancels it when nobody waits any more.
                dial.task.started(Task { [addresses] in await self.run(dial, key, addresses: addresses) })
                return self.current(try await dial.task.wait(), for: options)
            case .join(let dial):
                do {
                    return self.current(try await dial.task.wait(), for: options)
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
    private func current(_ connection: SwarmConnection, for options: DialOptions) -> SwarmConnection {
        guard !options.requiresNew, let current = self.openConnection(to: connection.remotePeer) else { return connection }
        return options.requiresDirect && current.isRelayed ? connection : current
    }

    private enum DialEvent {
        case attempt(DialStateMachine.AttemptID, Result<SwarmConnection, any Error>)
        case resolution(Multiaddr, Result<[Multiaddr], any Error>)
        case deadline
    }

    /// Performs what a ``DialStateMachine`` asks for. Waiters are told before the last attempts have been cleaned up.
    private func run(_ dial: Dial, _ key: DialKey, addresses: [Multiaddr]) async {
        let finish: @Sendable (Result<SwarmConnection, any Error>) -> Void = { result in
            self.state.withLock { state in
                if state.dials[key] === dial { state.dials[key] = nil }
            }
            dial.task.finish(result)
        }
        let expected: PeerID? = if case .peer(let peer) = key.target { peer } else { nil }
        let clock = ContinuousClock()

        await withTaskGroup(of: DialEvent.self) { group in
            var machine = DialStateMachine(configuration: self.configuration.dialing.adapted(to: key.options), now: clock.now)
            self.add(addresses, expecting: expected, options: key.options, to: &machine, in: &group)
            var timer: ContinuousClock.Instant?

            while true {
                while let action = machine.poll(now: clock.now) {
                    switch action {
                    case .start(let id, let address):
                        // What a name stands for may name its peer where the caller did not.
                        let expected = expected ?? address.peerID
                        group.addTask { .attempt(id, await self.attempt(address, expecting: expected, options: key.options)) }
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
                    self.add(addresses, expecting: expected, options: key.options, behind: name, to: &machine, in: &group)
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
    ///
    /// - Parameter name: What `addresses` were asked for.
    private func add(
        _ addresses: [Multiaddr], expecting expected: PeerID?, options: DialOptions, behind name: Multiaddr? = nil,
        to machine: inout DialStateMachine, in group: inout TaskGroup<DialEvent>
    ) {
        var usable: [Multiaddr] = []
        for address in addresses {
            if let expected, let named = address.peerID, named != expected {
                machine.rejected(address, because: ConnectionError(.peerMismatch, "the address belongs to \(named)"))
                continue
            }
            // A relay is told whom it is to connect to.
            let address = expected.map { address.isRelayed ? address.withPeerID($0) : address.removingPeerID() } ?? address
            if let error = self.refusal(of: address, of: expected, options: options) {
                machine.rejected(address, because: error)
            } else if address.hasDNSAddr {
                guard name?.hasDNSAddr != true else {
                    machine.rejected(address, because: ConnectionError(.addressForbidden, "a dnsaddr name stands for another"))
                    continue
                }
                guard machine.resolving(address) else { continue }
                group.addTask {
                    do {
                        return .resolution(address, .success(try await self.expand(address, of: expected)))
                    } catch {
                        return .resolution(address, .failure(error))
                    }
                }
            } else if !address.hasName || (address == name && options.source == .user) {
                usable.append(address)
            } else if address == name {
                machine.rejected(address, because: ConnectionError(.addressForbidden, "what the name stands for can't be checked"))
            } else if let transport = self.resolver(of: address), options.source == .stranger || !address.isRelayed {
                guard machine.resolving(address) else { continue }
                group.addTask {
                    do {
                        return .resolution(address, .success(try await Self.resolve(address, with: transport)))
                    } catch {
                        return .resolution(address, .failure(error))
                    }
                }
            } else if options.source == .stranger {
                machine.rejected(address, because: ConnectionError(.addressForbidden, "what the name stands for can't be checked"))
            } else {
                usable.append(address)
            }
        }
        machine.added(usable, resolvedFrom: name)
    }

    /// Why `address` is not to be dialed; nil if it is.
    private func refusal(of address: Multiaddr, of peer: PeerID?, options: DialOptions) -> ConnectionError? {
        if address.hasDNSAddr, self.configuration.addressResolver == nil {
            return ConnectionError(.noCommonProtocol, "dnsaddr names need TXT records, which are not looked up")
        }
        if !self.configuration.addressFilter(address) {
            return ConnectionError(.addressForbidden, "the configuration forbids this address")
        }
        // What a dnsaddr name stands for is asked again.
        if !address.hasDNSAddr, !self.transports.contains(where: { $0.canDial(address) }) {
            return ConnectionError(.noCommonProtocol, "no transport dials this address")
        }
        if options.requiresDirect, address.isRelayed {
            return ConnectionError(.addressForbidden, "a direct connection is wanted")
        }
        if options.source == .stranger, !self.configuration.addressPolicy.isPublic(address) {
            // Nobody new is dialed for a circuit over a relay that is connected.
            guard let relay = address.relay, self.openConnection(to: relay) != nil else {
                let reason = "the address is not on the public internet, and a stranger named it"
                self.refusals.note("an address of a peer is not dialed", of: peer.map(\.description) ?? "nobody known", because: "\(address): \(reason)")
                return ConnectionError(.addressForbidden, reason)
            }
        }
        return nil
    }

    /// What a dnsaddr name stands for, which for a circuit is its relay.
    private func expand(_ address: Multiaddr, of peer: PeerID?) async throws -> [Multiaddr] {
        guard let resolver = self.configuration.addressResolver, case .dnsaddr? = address.components.first else {
            throw ConnectionError(.noCommonProtocol, "a dnsaddr name can only begin an address")
        }
        guard address.isRelayed else { return try await resolver.addresses(behind: address, of: peer) }
        let outer = address.untilCircuit
        let inner = address.components.dropFirst(outer.components.count)
        let relays = try await resolver.addresses(behind: outer, of: outer.peerID).filter { !$0.isRelayed && !$0.hasDNSAddr }
        guard !relays.isEmpty else { throw ConnectionError(.noCommonProtocol, "\(outer) stands for no relay") }
        return relays.map { Multiaddr(components: $0.components + inner) }
    }

    /// Knows the addresses behind the name in `address`, which for a circuit is that of the relay.
    private func resolver(of address: Multiaddr) -> (any Transport)? {
        let outer = address.untilCircuit
        return self.transports.first { $0.canDial(outer) }
    }

    private static func resolve(_ address: Multiaddr, with transport: any Transport) async throws -> [Multiaddr] {
        let outer = address.untilCircuit
        let inner = address.components.dropFirst(outer.components.count)
        return try await transport.resolve(outer).map { Multiaddr(components: $0.components + inner) }
    }

    /// - Parameter failures: How often both ends took the same side of the handshake in this attempt.
    private func attempt(
        _ address: Multiaddr, expecting expected: PeerID?, options: DialOptions, failures: Int = 0
    ) async -> Result<SwarmConnection, any Error> {
        guard let transport = self.transports.first(where: { $0.canDial(address) }) else {
            return .failure(ConnectionError(.noCommonProtocol, "no transport dials this address"))
        }
        let eventLoop = self.group.next()
        let upgrade = ConnectionUpgrade(
            role: self.roleChoice(for: options, failures: failures), expecting: expected, remoteAddress: address.removingPeerID(), on: eventLoop, swarm: self)
        let punch = self.expectPunch(at: address, options: options)
        defer { self.forgetPunch(punch) }
        let purpose = failures > 0 && options.purpose == .connect ? .dialBack : options.purpose
        // Owned by `upgrade`, which cancels it unless the peer may use the connection already.
        let dialing = Task {
            try await transport.dial(address, for: purpose, on: eventLoop) { channel in
                channel.eventLoop.makeCompletedFuture { try upgrade.start(on: channel) }
            }
        }
        upgrade.started(dialing)
        let result: Result<SwarmConnection, any Error> = await withTaskCancellationHandler {
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
        guard case .failure(let error) = result, Self.isOfOneSide(error, options), !Task.isCancelled,
            failures < Self.allowedFailures(options), options.purpose == .punch || self.leftFromListeningPort(upgrade)
        else { return result }
        return await self.attempt(address, expecting: expected, options: options, failures: failures + 1)
    }
}

extension Multiaddr {
    fileprivate var isRelayed: Bool { self.components.contains(.p2pCircuit) }

    /// What comes before `/p2p-circuit`.
    fileprivate var untilCircuit: Multiaddr { Multiaddr(components: Array(self.components.prefix { $0 != .p2pCircuit })) }

    /// The last relay of a circuit.
    fileprivate var relay: PeerID? { self.isRelayed ? self.untilCircuit.peerID : nil }

    fileprivate var hasDNSAddr: Bool {
        self.components.contains { if case .dnsaddr = $0 { true } else { false } }
    }

    fileprivate var hasName: Bool {
        self.components.contains {
            switch $0 {
            case .dns, .dns4, .dns6: true
            default: false
            }
        }
    }
}
