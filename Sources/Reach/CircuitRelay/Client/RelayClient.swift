public import DIGIdentity
public import DIGMultiformats
import DIGNet
public import Logging
import NIOCore
public import ServiceLifecycle

/// Keeps reservations at several relays while nobody reaches this node directly, and says under which addresses it can be reached through them.
///
/// Circuits that come in are accepted by the listener on `/p2p-circuit` of the ``CircuitRelayTransport``. A relay that refuses, dies or lies
/// is replaced by the next candidate.
public actor RelayClient: Service {
    private let transport: CircuitRelayTransport
    private let configuration: RelayClientConfiguration
    private let logger: Logger
    private var machine: RelayClientStateMachine
    private var isRunning = false
    /// What the transport knows this client by while it runs.
    private var id: UInt64 = 0
    /// Connections on which reservations live.
    private var connections: [PeerID: ConnectionID] = [:]
    private var published: [Multiaddr] = []
    private var readers: [UInt64: AsyncStream<[Multiaddr]>.Continuation] = [:]
    private var nextReader: UInt64 = 0
    private let wakeups: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let refusals: RefusalLog

    /// - Parameter transport: Has to be attached to its swarm before ``run()``.
    public init(transport: CircuitRelayTransport, configuration: RelayClientConfiguration = .init(), logger: Logger) {
        self.transport = transport
        self.configuration = configuration
        self.logger = logger
        self.refusals = RefusalLog(logger, naming: "dig.relay.relay", level: .notice)
        self.machine = RelayClientStateMachine(configuration)
        (self.wakeups, self.wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    // MARK: What it knows

    /// The addresses to advertise, each `<relay address>/p2p/<relay>/p2p-circuit`.
    public var addresses: [Multiaddr] { self.published }

    /// The reservations held.
    public var reservations: [Reservation] { self.machine.reservations }

    /// ``addresses``, then each time they change. Ends with ``run()``.
    public func relayAddresses() -> RelayAddresses {
        let (stream, continuation) = AsyncStream.makeStream(of: [Multiaddr].self, bufferingPolicy: .bufferingNewest(1))
        let id = self.nextReader
        self.nextReader += 1
        self.readers[id] = continuation
        continuation.yield(self.published)
        continuation.onTermination = { [weak self] _ in
            guard let self else { return }
            // Short: forgets the reader.
            Task { await self.removeReader(id) }
        }
        return RelayAddresses(stream: stream)
    }

    private func removeReader(_ id: UInt64) { self.readers[id] = nil }

    // MARK: What it is told

    /// Whether reservations are wanted: while this node can't be reached directly. Not, at first.
    public func setWanted(_ isWanted: Bool) {
        self.machine.setWanted(isWanted)
        self.wake.yield()
    }

    /// A peer that serves the hop protocol and can be dialed by anybody, or new addresses of one.
    public func add(candidate: RelayCandidate) {
        guard candidate.peer != (try? self.transport.attachment().dialer.localPeer) else { return }
        self.machine.added(candidate)
        self.wake.yield()
    }

    /// Does not use `peer` as a relay any more.
    public func remove(candidate peer: PeerID) {
        self.machine.removed(peer)
        self.wake.yield()
    }

    // MARK: Running

    /// Holds reservations until cancelled or shut down gracefully.
    ///
    /// - Throws: ``CircuitRelayError`` with `.notAttached`, or `.closed` when it runs already.
    public func run() async throws {
        guard !self.isRunning else { throw CircuitRelayError(.closed, "the relay client runs already") }
        let attachment = try self.transport.attachment()
        self.isRunning = true
        let id = self.transport.addClient { [weak self] relay in
            // Short: one input to the machine.
            Task { await self?.lied(relay, about: "the limit of a circuit is below that of the reservation") }
        }
        self.id = id
        await withGracefulShutdownHandler {
            await withTaskCancellationHandler {
                await self.loop(attachment)
            } onCancel: {
                self.wake.finish()
            }
        } onGracefulShutdown: {
            self.wake.finish()
        }
        self.machine.setWanted(false)
        self.perform(attachment) { _ in }
        self.transport.removeClient(id)
        for reader in self.readers.values { reader.finish() }
        self.readers = [:]
    }

    /// One for each client, so that none lets go of what another holds.
    private var protectionTag: String { "circuit-relay-client-\(self.id)" }

    private func loop(_ attachment: CircuitRelayTransport.Attachment) async {
        let request = ReservationRequest(
            dialer: attachment.dialer, policy: self.transport.configuration.addressPolicy,
            timeout: self.transport.configuration.requestTimeout)
        await withDiscardingTaskGroup { group in
            var timer: (deadline: ContinuousClock.Instant, task: Task<Void, Never>)?
            self.wake.yield()
            for await _ in self.wakeups {
                self.perform(attachment) { candidate in
                    group.addTask { await self.request(candidate, with: request, attachment) }
                }
                let deadline = self.machine.deadline
                guard deadline != timer?.deadline || timer.map({ $0.deadline <= .now }) ?? false else { continue }
                timer?.task.cancel()
                timer = deadline.map { deadline in
                    // Cancelled here, when there is another deadline or none.
                    let task = Task { [wake] in
                        do { try await ContinuousClock().sleep(until: deadline) } catch { return }
                        wake.yield()
                    }
                    return (deadline, task)
                }
            }
            timer?.task.cancel()
            group.cancelAll()
        }
    }

    private func perform(_ attachment: CircuitRelayTransport.Attachment, reserve: (RelayCandidate) -> Void) {
        var hasChanged = false
        while let action = self.machine.poll(now: .now) {
            switch action {
            case .reserve(let candidate): reserve(candidate)
            case .changed: hasChanged = true
            case .release(let peer):
                self.connections[peer] = nil
                self.transport.setReservation(nil, at: peer, of: self.id)
                attachment.protector?.unprotect(peer, tag: self.protectionTag)
            }
        }
        guard hasChanged else { return }
        var addresses: [Multiaddr] = []
        for address in self.machine.reservations.flatMap(\.addresses) where !addresses.contains(address) { addresses.append(address) }
        guard addresses != self.published else { return }
        self.published = addresses
        for reader in self.readers.values { reader.yield(addresses) }
    }

    private func request(
        _ candidate: RelayCandidate, with request: ReservationRequest, _ attachment: CircuitRelayTransport.Attachment
    ) async {
        let peer = candidate.peer
        do {
            let isConfigured = candidate.isConfigured || self.transport.configuredRelays.contains(peer)
            let (reservation, connection) = try await request.perform(at: peer, addresses: candidate.addresses, isConfigured: isConfigured)
            attachment.protector?.protect(peer, tag: self.protectionTag)
            self.machine.reserved(reservation, now: .now)
            if self.machine.reservations.contains(where: { $0.relay == peer }) {
                self.transport.setReservation(reservation.limit, at: peer, of: self.id)
                self.watch(connection, attachment)
            }
        } catch let error as CircuitRelayError where error.code == .invalidReservation {
            self.lied(peer, about: error.message)
        } catch {
            self.logger.debug("no reservation", metadata: ["dig.relay.relay": "\(peer)", "dig.relay.error": "\(error)"])
            self.machine.failed(peer, kind: .refused, now: .now)
        }
        self.wake.yield()
    }

    private func lied(_ relay: PeerID, about what: String) {
        self.refusals.note("a relay grants what is not true", of: relay, because: what)
        self.machine.failed(relay, kind: .lied, now: .now)
        self.wake.yield()
    }

    /// Learns when the connection of a reservation is gone.
    private func watch(_ connection: any Connection, _ attachment: CircuitRelayTransport.Attachment) {
        let (peer, id) = (connection.remotePeer, connection.id)
        guard self.connections[peer] != id else { return }
        self.connections[peer] = id
        connection.closeFuture.whenComplete { [weak self] _ in
            // Short: one input to the machine.
            Task { await self?.closed(id, to: peer) }
        }
    }

    private func closed(_ id: ConnectionID, to peer: PeerID) {
        // A refresh has moved to another connection.
        guard self.connections[peer] == id else { return }
        self.connections[peer] = nil
        self.machine.disconnected(peer, now: .now, jitter: .random(in: 0...1))
        self.wake.yield()
    }
}
