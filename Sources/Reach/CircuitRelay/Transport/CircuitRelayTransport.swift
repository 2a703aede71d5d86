public import DIGIdentity
public import DIGMultiformats
public import DIGNet
public import Logging
public import NIOCore
import Synchronization

/// Connections through a relay: `<relay address>/p2p/<relay>/p2p-circuit[/p2p/<peer>]`.
///
/// A circuit is a stream of the connection to the relay, handed over as a raw channel: the swarm secures and multiplexes it as any other,
/// so the relay sees ciphertext only and cannot stand in for the peer. The channel lives on the event loop of the connection to the relay,
/// whatever loop was asked for.
///
/// Made before the swarm, which takes it as one of its transports, and attached to it afterwards:
///
///     let circuits = CircuitRelayTransport(logger: logger)
///     let swarm = Swarm(identity: identity, transports: [tcp, circuits], …)
///     circuits.attach(dialer: swarm, router: swarm)
///
/// Listening on an address of one relay reserves a slot there and keeps it. Listening on `/p2p-circuit` alone accepts circuits through every
/// relay at which a ``RelayClient`` holds a reservation.
public final class CircuitRelayTransport: Transport, Sendable {
    typealias Initializer = @Sendable (any Channel, Multiaddr) -> EventLoopFuture<Void>

    struct Attachment: Sendable {
        var dialer: any PeerDialer
        var protector: (any ConnectionProtector)?
    }

    private struct ListenerEntry {
        /// Nil: any relay with a reservation.
        var relay: PeerID?
        var initializer: Initializer
    }

    private struct Client {
        /// What each relay with a reservation said that a circuit may carry.
        var reservations: [PeerID: RelayLimit] = [:]
        /// Told when a relay breaks its word.
        var report: @Sendable (PeerID) -> Void
    }

    private struct State {
        var attachment: Attachment?
        var configuredRelays: Set<PeerID> = []
        /// Ways to relays that the user named for one peer, the newest last.
        var namedRelays: [Multiaddr] = []
        var listeners: [UInt64: ListenerEntry] = [:]
        var circuits: [UInt64: Circuit] = [:]
        var nextID: UInt64 = 0
        /// Those who hold reservations.
        var clients: [UInt64: Client] = [:]
    }

    let configuration: CircuitRelayTransportConfiguration
    let logger: Logger
    private let state = Mutex(State())

    public init(configuration: CircuitRelayTransportConfiguration = .init(), logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Gives the transport the swarm that uses it. Once, before the first dial.
    ///
    /// - Parameters:
    ///   - router: Gets the answer to the stop protocol.
    ///   - protector: Keeps the connections to relays open. Without, the swarm closes them when they are idle, and the reservations with them.
    public func attach(dialer: any PeerDialer, router: any StreamRouter, protector: (any ConnectionProtector)? = nil) {
        self.state.withLock { $0.attachment = Attachment(dialer: dialer, protector: protector) }
        router.register(CircuitRelay.stopProtocolID) { [weak self] stream, connection in
            guard let self else { return stream.eventLoop.makeFailedFuture(CircuitRelayError(.closed, "the transport is gone")) }
            return self.accept(stream, of: connection)
        }
    }

    /// Relays that the user named: only these may be at private addresses.
    public var configuredRelays: Set<PeerID> {
        get { self.state.withLock { $0.configuredRelays } }
        set { self.state.withLock { $0.configuredRelays = newValue } }
    }

    /// Addresses named by the user beyond which the oldest are forgotten.
    private static let maximumNamedRelays = 256

    /// Lets circuits go through the relay of `circuit` at just that address, even if it is a private one: the user named it, as in a link.
    package func allow(_ circuit: Multiaddr) {
        let address: CircuitAddress
        do throws(CircuitRelayError) { address = try CircuitAddress(circuit) } catch { return }
        let way = address.relayAddress.withPeerID(address.relay)
        self.state.withLock { state in
            state.namedRelays.removeAll { $0 == way }
            state.namedRelays.append(way)
            if state.namedRelays.count > Self.maximumNamedRelays { state.namedRelays.removeFirst() }
        }
    }

    private func isNamed(_ circuit: CircuitAddress) -> Bool {
        self.state.withLock { $0.configuredRelays.contains(circuit.relay) || $0.namedRelays.contains(circuit.relayAddress.withPeerID(circuit.relay)) }
    }

    /// The circuits that are open, both ways.
    public var circuits: [Circuit] { self.state.withLock { Array($0.circuits.values) } }

    /// What the relay of a relayed connection says that it may carry; nil if `connection` is direct or gone.
    public func limit(of connection: any Connection) -> RelayLimit? {
        guard connection.isRelayed else { return nil }
        let address: CircuitAddress
        do throws(CircuitRelayError) { address = try CircuitAddress(connection.remoteAddress.removingPeerID()) } catch { return nil }
        return self.state.withLock { state in
            state.circuits.values.first {
                $0.relay == address.relay && $0.peer == connection.remotePeer && $0.role == connection.role
            }?.limit
        }
    }

    // MARK: Transport

    public func canDial(_ address: Multiaddr) -> Bool { address.isCircuit }
    public func canListen(on address: Multiaddr) -> Bool { address.isCircuit }

    /// Connects to the relay, or uses the direct connection there is, and has it connect to the peer that `address` names.
    ///
    /// - Throws: ``CircuitRelayError`` with `.invalidAddress`, `.notAttached`, `.relayUnreachable`, `.resourceLimitExceeded`,
    ///   `.permissionDenied`, `.connectionFailed`, `.noReservation`, `.malformedResponse` or `.timedOut`; `CancellationError`.
    public func dial(
        _ address: Multiaddr, for purpose: DialPurpose, on eventLoop: any EventLoop,
        initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        let circuit = try CircuitAddress(address)
        guard let target = circuit.target else {
            throw CircuitRelayError(.invalidAddress, "\(address) does not name the peer behind the relay")
        }
        let attachment = try self.attachment()
        let dialer = attachment.dialer
        guard circuit.relay != target, circuit.relay != dialer.localPeer, target != dialer.localPeer else {
            throw CircuitRelayError(.invalidAddress, "\(address) does not lead from one peer over a second to a third")
        }
        guard purpose == .connect else {
            throw CircuitRelayError(.invalidAddress, "a circuit has no port to punch or to be dialed back")
        }
        let isConfigured = self.isNamed(circuit)
        let timeout = self.configuration.requestTimeout
        let pending = PendingChannel()
        return try await pending.run {
            let connection = try await ReservationRequest.connect(
                to: circuit.relay, addresses: circuit.relayAddress.components.isEmpty ? [] : [circuit.relayAddress],
                isConfigured: isConfigured, with: dialer, timeout: nil)
            let messages = try await HopStream.open(on: connection, timeout: timeout, pending: pending)
            messages.write(HopMessage.connect(target).encoded)
            let limit: RelayLimit
            do {
                let answer = try await HopStream.answer(from: messages, relay: circuit.relay)
                guard case .status(let status, _, let stated) = answer else {
                    throw CircuitRelayError(.malformedResponse, "the relay \(circuit.relay) asks instead of answering")
                }
                guard status == .ok else { throw CircuitRelayError(refusedBy: "\(circuit.relay)", status: status) }
                limit = stated ?? .unlimited
            } catch {
                messages.close()
                throw error
            }
            do {
                try await messages.handOver(to: initializer).get()
            } catch {
                messages.close()
                throw error
            }
            self.opened(Circuit(relay: circuit.relay, peer: target, role: .dialer, limit: limit), on: messages.channel)
            return messages.channel
        }
    }

    /// Accepts circuits through one relay, after reserving a slot there, or with `/p2p-circuit` through every relay at which there is one.
    ///
    /// A relay named here counts as configured. The reservation is kept, and asked for again after a loss, until the listener is closed.
    ///
    /// - Throws: ``CircuitRelayError`` as ``dial(_:for:on:initializer:)``, `.reservationRefused` or `.invalidReservation`.
    public func listen(
        on address: Multiaddr, initializer: @escaping @Sendable (any Channel, Multiaddr) -> EventLoopFuture<Void>
    ) async throws -> any Listener {
        if address.components == [.p2pCircuit] {
            let id = self.insert(ListenerEntry(relay: nil, initializer: initializer))
            return CircuitListener(address: address) { self.removeListener(id) }
        }
        let circuit = try CircuitAddress(address)
        guard circuit.target == nil else {
            throw CircuitRelayError(.invalidAddress, "\(address) names a peer behind the relay: only that peer listens there")
        }
        let attachment = try self.attachment()
        guard circuit.relay != attachment.dialer.localPeer else {
            throw CircuitRelayError(.invalidAddress, "\(address) leads through this node itself")
        }
        let request = ReservationRequest(
            dialer: attachment.dialer, policy: self.configuration.addressPolicy, timeout: self.configuration.requestTimeout)
        let relayAddresses = circuit.relayAddress.components.isEmpty ? [] : [circuit.relayAddress]
        let id = self.insert(ListenerEntry(relay: circuit.relay, initializer: initializer))
        do {
            _ = try await request.perform(at: circuit.relay, addresses: relayAddresses, isConfigured: true)
        } catch {
            self.removeListener(id)
            throw error
        }
        var configuration = RelayClientConfiguration()
        configuration.relayCount = 1
        configuration.relays = [RelayCandidate(peer: circuit.relay, addresses: relayAddresses, isConfigured: true)]
        let client = RelayClient(transport: self, configuration: configuration, logger: self.logger)
        // Owned by the listener, which cancels it.
        let keeper = Task {
            await client.setWanted(true)
            try await client.run()
        }
        return CircuitListener(address: circuit.circuit) {
            self.removeListener(id)
            keeper.cancel()
            // It ends by being cancelled.
            _ = await keeper.result
        }
    }

    func attachment() throws(CircuitRelayError) -> Attachment {
        guard let attachment = self.state.withLock({ $0.attachment }) else {
            throw CircuitRelayError(.notAttached, "the relay transport has no swarm yet")
        }
        return attachment
    }

    private func insert(_ entry: ListenerEntry) -> UInt64 {
        self.state.withLock { state in
            defer { state.nextID += 1 }
            state.listeners[state.nextID] = entry
            return state.nextID
        }
    }

    private func removeListener(_ id: UInt64) {
        self.state.withLock { _ = $0.listeners.removeValue(forKey: id) }
    }

    private func opened(_ circuit: Circuit, on channel: any Channel) {
        let id = self.state.withLock { state in
            defer { state.nextID += 1 }
            state.circuits[state.nextID] = circuit
            return state.nextID
        }
        channel.closeFuture.whenComplete { _ in self.state.withLock { _ = $0.circuits.removeValue(forKey: id) } }
    }

    // MARK: What the relay client says

    /// - Parameter report: Called with each relay that breaks its word.
    /// - Returns: What to give to the other two.
    func addClient(report: @escaping @Sendable (PeerID) -> Void) -> UInt64 {
        self.state.withLock { state in
            defer { state.nextID += 1 }
            state.clients[state.nextID] = Client(report: report)
            return state.nextID
        }
    }

    /// `relay` holds a slot for this node, or doesn't (nil).
    func setReservation(_ limit: RelayLimit?, at relay: PeerID, of client: UInt64) {
        self.state.withLock { $0.clients[client]?.reservations[relay] = limit }
    }

    func removeClient(_ id: UInt64) {
        self.state.withLock { _ = $0.clients.removeValue(forKey: id) }
    }

    // MARK: Circuits from others

    private func accept(_ stream: any Channel, of connection: any Connection) -> EventLoopFuture<Void> {
        stream.eventLoop.makeCompletedFuture {
            let messages = try MessageStream(
                on: stream, limit: CircuitRelay.maximumMessageByteCount, timeout: self.configuration.requestTimeout)
            messages.read().whenSuccess { self.received($0, on: messages, of: connection) }
        }
    }

    private func received(_ bytes: ByteBuffer, on messages: MessageStream, of connection: any Connection) {
        let relay = connection.remotePeer
        let message: StopMessage
        do throws(CircuitDecodingError) {
            message = try StopMessage(decoding: bytes)
        } catch {
            return messages.end(with: StopMessage.status(.malformedMessage).encoded)
        }
        guard case .connect(let peer, let stated) = message else {
            return messages.end(with: StopMessage.status(.unexpectedMessage).encoded)
        }
        let limit = stated ?? .unlimited
        enum Decision {
            case accept(Initializer, UInt64)
            case refuse(RelayStatus)
        }
        let (decision, observers) = self.state.withLock { state -> (Decision, [@Sendable (PeerID) -> Void]) in
            // Whoever relays without a reservation, or over a relay, does what nobody asked for.
            guard !connection.isRelayed, peer != connection.localPeer, peer != relay else { return (.refuse(.permissionDenied), []) }
            let promises = state.clients.values.compactMap { client in client.reservations[relay].map { ($0, client.report) } }
            guard
                let listener = state.listeners.values.first(where: { $0.relay == relay })
                    ?? (promises.isEmpty ? nil : state.listeners.values.first { $0.relay == nil })
            else { return (.refuse(.permissionDenied), []) }
            let open = state.circuits.values.count { $0.relay == relay && $0.role == .listener }
            guard open < self.configuration.maximumInboundCircuitsPerRelay else { return (.refuse(.resourceLimitExceeded), []) }
            let id = state.nextID
            state.nextID += 1
            state.circuits[id] = Circuit(relay: relay, peer: peer, role: .listener, limit: limit)
            // To these it promised more when it gave the reservation.
            return (.accept(listener.initializer, id), promises.filter { !limit.allows($0.0) }.map(\.1))
        }
        for observer in observers { observer(relay) }
        switch decision {
        case .refuse(let status):
            messages.end(with: StopMessage.status(status).encoded)
        case .accept(let initializer, let id):
            let channel = messages.channel
            channel.closeFuture.whenComplete { _ in self.state.withLock { _ = $0.circuits.removeValue(forKey: id) } }
            let remote = CircuitAddress(relayAddress: connection.remoteAddress, relay: relay, target: peer).address
            messages.write(StopMessage.status(.ok).encoded)
            messages.handOver { initializer($0, remote) }.whenFailure { error in
                self.logger.debug(
                    "inbound circuit failed", metadata: ["dig.relay.relay": "\(relay)", "dig.relay.peer": "\(peer)", "dig.relay.error": "\(error)"])
                messages.close()
            }
        }
    }
}
