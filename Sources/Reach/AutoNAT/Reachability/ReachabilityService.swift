public import DIGIdentity
public import DIGMultiformats
public import DIGNet
public import Logging
import NIOCore
public import ServiceLifecycle
import Synchronization

/// Finds out at which of its addresses this node can be reached from the internet, and keeps looking.
///
/// What happens is told by method calls, in any order, before or after ``run()``; questions are asked while that runs.
public final class ReachabilityService: Service {
    private struct State {
        var isRunning = false
        var tracker: ReachabilityTracker
        var observed: ObservedAddresses
        var listenAddresses: [Multiaddr] = []
        var mappedAddresses: [ExternalAddress] = []
        var tcpMapping = TCPMapping(behavior: .unknown, evidence: [])
        var published: ReachabilitySnapshot?
        var readers: [UInt64: AsyncStream<ReachabilitySnapshot>.Continuation] = [:]
        var nextReader: UInt64 = 0
    }

    private let dialer: any PeerDialer
    private let configuration: ReachabilityConfiguration
    private let v2: AutoNATv2Client
    private let v1 = AutoNATv1Client()
    private let logger: Logger
    private let state: Mutex<State>
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    /// - Parameters:
    ///   - dialer: Knows the connections to servers. None is made.
    ///   - router: Where dial-backs come in.
    public init(dialer: any PeerDialer, router: any StreamRouter, configuration: ReachabilityConfiguration = .init(), logger: Logger) {
        self.dialer = dialer
        self.configuration = configuration
        self.v2 = AutoNATv2Client(router: router, configuration: configuration.client, logger: logger)
        self.logger = logger
        self.state = Mutex(
            State(
                tracker: ReachabilityTracker(configuration: configuration),
                observed: ObservedAddresses(configuration: configuration.observed, isPublic: configuration.isPublic)))
        (self.wakes, self.wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    // MARK: Inputs

    /// A connection was made, by either side. Its end is noticed by itself.
    public func connected(_ connection: any Connection) {
        guard !connection.isRelayed else { return }
        let (role, local, remote, id) = (connection.role, connection.localAddress, connection.remoteAddress, connection.id)
        self.update(changesAddresses: false) { state, now in state.tracker.connectionOpened(role: role, local: local, remote: remote, now: now) }
        connection.closeFuture.whenComplete { [weak self] _ in
            self?.update(changesAddresses: false) { state, now in state.observed.connectionClosed(id, now: now) }
        }
    }

    /// A peer has said which protocols it answers. It is asked if it is connected directly and from the internet.
    public func identified(_ peer: PeerID, protocols: [ProtocolID]) {
        guard let connection = self.dialer.connection(to: peer), !connection.isRelayed else { return }
        let address = connection.remoteAddress
        self.update(changesAddresses: false) { state, now in state.tracker.serverAvailable(peer, address: address, protocols: protocols, now: now) }
    }

    /// The last connection to a peer is gone.
    public func disconnected(_ peer: PeerID) {
        self.update(changesAddresses: false) { state, _ in state.tracker.serverGone(peer) }
    }

    /// A peer has said in identify where it sees this node.
    public func observed(_ address: Multiaddr, on connection: any Connection) {
        guard !connection.isRelayed else { return }
        self.update(changesAddresses: true) { state, now in
            state.observed.observed(
                address, over: connection.id, local: connection.localAddress, remote: connection.remoteAddress, role: connection.role, now: now)
        }
    }

    /// - Parameter addresses: Where this node listens, with the addresses of its interfaces in place of wildcards.
    public func listenAddressesChanged(_ addresses: [Multiaddr]) {
        let addresses = addresses.map { $0.removingPeerID() }
        self.update(changesAddresses: true) { state, _ in
            state.listenAddresses = addresses
            state.observed.listenAddressesChanged(addresses)
        }
    }

    /// - Parameter addresses: What a router forwards, all of it; `basis` is set to `.mapped`.
    public func mappedAddressesChanged(_ addresses: [ExternalAddress]) {
        self.update(changesAddresses: true) { state, _ in
            state.mappedAddresses = addresses.map {
                ExternalAddress(address: $0.address.removingPeerID(), listenAddress: $0.listenAddress.removingPeerID(), basis: .mapped)
            }
        }
    }

    /// The machine is in another network, or its router has another address: everything is found out anew.
    public func networkChanged() {
        self.update(changesAddresses: true) { state, now in
            state.observed.networkChanged()
            state.tracker.networkChanged(now: now)
        }
    }

    /// This node is about to send something to `address` from a port that it listens on, as for a punch.
    public func contacting(_ address: Multiaddr) {
        self.update(changesAddresses: false) { state, now in state.tracker.contacting(address, now: now) }
    }

    // MARK: What is known

    public var snapshot: ReachabilitySnapshot {
        self.state.withLock { Self.snapshot($0, now: .now) }
    }

    /// What is known, and then again whenever that is something else.
    ///
    /// May be called before ``run()`` and by several readers. Ends when ``run()`` does.
    public func updates() -> AsyncStream<ReachabilitySnapshot> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: ReachabilitySnapshot.self, bufferingPolicy: .bufferingNewest(max(1, self.configuration.updateBufferCount)))
        let reader = self.state.withLock { state in
            defer { state.nextReader += 1 }
            state.readers[state.nextReader] = continuation
            // Under the lock, so that nothing newer gets in before; yielding calls nobody back.
            continuation.yield(Self.snapshot(state, now: .now))
            return state.nextReader
        }
        continuation.onTermination = { [weak self] _ in
            // Later: a task that is being cancelled is locked by the runtime while it calls this, and a yield under our lock waits for that.
            Task { [weak self] in self?.state.withLock { _ = $0.readers.removeValue(forKey: reader) } }
        }
        return stream
    }

    private static func snapshot(_ state: State, now: ContinuousClock.Instant) -> ReachabilitySnapshot {
        state.tracker.snapshot(now: now, tcpMapping: state.tcpMapping)
    }

    /// - Parameter changesAddresses: Whether the addresses to look at may be others afterwards, which takes longer to find out.
    private func update(changesAddresses: Bool, _ body: (inout State, ContinuousClock.Instant) -> Void) {
        self.state.withLock { state in
            let now = ContinuousClock.now
            body(&state, now)
            defer { self.publish(&state, now: now) }
            guard changesAddresses else { return }
            state.tcpMapping = state.observed.tcpMapping(now: now)
            let listening = state.listenAddresses.filter(self.configuration.isPublic).map {
                ExternalAddress(address: $0, listenAddress: $0, basis: .listening)
            }
            state.tracker.candidatesChanged(
                listening + state.mappedAddresses + state.observed.externalAddresses(now: now), listening: state.listenAddresses, now: now)
        }
        self.wake.yield()
    }

    private func publish(_ state: inout State, now: ContinuousClock.Instant) {
        let snapshot = Self.snapshot(state, now: now)
        guard state.published.map({ snapshot.differs(from: $0) }) ?? true else { return }
        state.published = snapshot
        for reader in state.readers.values { reader.yield(snapshot) }
    }

    // MARK: Asking

    /// Asks until cancelled or shut down gracefully. Runs once.
    ///
    /// - Throws: ``AutoNATError`` with `.alreadyRunning`.
    public func run() async throws {
        let isFirst = self.state.withLock { state in
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard isFirst else { throw AutoNATError(.alreadyRunning, "reachability is being looked at already") }
        self.v2.register()
        await withGracefulShutdownHandler {
            await self.askOn()
        } onGracefulShutdown: {
            self.wake.finish()
        }
        self.v2.unregister()
        let readers = self.state.withLock { state in
            defer { state.readers.removeAll() }
            return Array(state.readers.values)
        }
        // Not under the lock: the end of a stream calls back.
        for reader in readers { reader.finish() }
    }

    private func askOn() async {
        await withDiscardingTaskGroup { group in
            var timer: (Task<Void, Never>, ContinuousClock.Instant)?
            var wakes = self.wakes.makeAsyncIterator()
            repeat {
                let (probe, deadline) = self.state.withLock { state in
                    let now = ContinuousClock.now
                    return (state.tracker.poll(now: now), state.tracker.deadline(now: now))
                }
                if let probe {
                    group.addTask {
                        let outcome = await self.perform(probe)
                        self.update(changesAddresses: true) { state, now in state.tracker.finished(probe, outcome, now: now) }
                    }
                }
                if timer?.1 != deadline {
                    timer?.0.cancel()
                    // Owned by this loop, which cancels it when another time counts and at the end.
                    timer = deadline.map { deadline in
                        let task = Task { [wake] in
                            do { try await Task.sleep(until: deadline, clock: .continuous) } catch { return }
                            wake.yield()
                        }
                        return (task, deadline)
                    }
                }
            } while await wakes.next() != nil
            timer?.0.cancel()
            group.cancelAll()
        }
    }

    private func perform(_ probe: ReachabilityProbe) async -> ReachabilityProbe.Outcome {
        let outcome: ReachabilityProbe.Outcome
        do {
            do {
                outcome = try await self.ask(probe, on: self.connection(for: probe))
            } catch let error as AutoNATError where error.code == .closed {
                // A connection that has just been replaced by another: once more.
                outcome = try await self.ask(probe, on: self.connection(for: probe))
            }
        } catch let error as AutoNATError where error.code == .dataRefused {
            let cheap = probe.targets.filter { !$0.isWorthDialData }
            outcome = .refused((cheap.isEmpty ? probe.targets : cheap).map(\.address))
        } catch {
            self.logger.debug("probe failed", metadata: ["dig.autonat.server": "\(probe.server)", "dig.autonat.error": "\(error)"])
            return .failed
        }
        self.logger.debug("probe answered", metadata: ["dig.autonat.server": "\(probe.server)", "dig.autonat.outcome": "\(outcome)"])
        return outcome
    }

    private func connection(for probe: ReachabilityProbe) throws -> any Connection {
        guard let connection = self.dialer.connection(to: probe.server), !connection.isRelayed else {
            throw AutoNATError(.notSupported, "\(probe.server) is not connected directly any more")
        }
        return connection
    }

    private func ask(_ probe: ReachabilityProbe, on connection: any Connection) async throws -> ReachabilityProbe.Outcome {
        switch probe.version {
        case .v2: try await self.ask(probe, v2: connection)
        case .v1: try await self.ask(probe, v1: connection)
        }
    }

    private func ask(_ probe: ReachabilityProbe, v2 connection: any Connection) async throws -> ReachabilityProbe.Outcome {
        switch try await self.v2.ask(about: probe.targets, on: connection) {
        case .reachable(let index, let from): .reachable(probe.targets[index].address, from: from)
        case .unreachable(let index): .unreachable([probe.targets[index].address])
        case .refused: .refused(probe.targets.map(\.address))
        }
    }

    private func ask(_ probe: ReachabilityProbe, v1 connection: any Connection) async throws -> ReachabilityProbe.Outcome {
        switch try await self.v1.ask(about: probe.targets.map(\.address), on: connection) {
        case .reachable(let address?): .reachable(address, from: nil)
        case .reachable(nil): probe.targets.count == 1 ? .reachable(probe.targets[0].address, from: nil) : .refused(probe.targets.map(\.address))
        case .unreachable: .unreachable(probe.targets.map(\.address))
        case .refused: .refused(probe.targets.map(\.address))
        }
    }
}
