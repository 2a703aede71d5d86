public import DIGIdentity
public import DIGMultiformats
public import DIGNet
public import Logging
import NIOCore
public import ServiceLifecycle
import Synchronization

/// Makes direct connections between peers behind NATs: both dial each other at the same moment, agreed on over a connection through a relay
/// (libp2p relay/DCUtR) or any other ``Signaling``.
///
/// While it runs it answers `/libp2p/dcutr`, and begins for each relayed connection that it is told of. A punch that succeeds leaves the new
/// connection with the dialer; moving over to it is the dialer's business.
public final class HolePuncher: Service, Sendable {
    public static let protocolID: ProtocolID = "/libp2p/dcutr"

    /// What ``run()`` is to take care of.
    private enum Work: Sendable {
        case initiate(Initiation)
        case respond(any PunchChannel, PeerID)
        case answer(SignalingMessage, SignalingMailbox)
    }

    /// A relayed connection to be replaced.
    private struct Initiation: Sendable {
        var connection: any Connection
        /// What the peer says about itself.
        var addresses: [Multiaddr]
        /// It was begun once, and this node did not know where it can be seen.
        var isRepeated = false
    }

    private let dialer: any PeerDialer
    private let router: any StreamRouter
    private let identity: KeyPair
    private let configuration: HolePunchingConfiguration
    private let localAddresses: @Sendable (PeerID) -> [Multiaddr]
    private let punchability: @Sendable () -> LocalPunchability
    private let allowance: @Sendable (PeerID, String) -> PunchAllowance?
    private let isOnSameNetwork: @Sendable (PeerID) -> Bool
    private let usesListeningPort: @Sendable (any Connection) -> Bool?
    private let logger: Logger
    private let refusals: RefusalLog
    private let registry: PunchRegistry
    private let targets: PunchTargets
    private let hub: EventBroadcast<PunchEvent>
    private let addressChanges = EventBroadcast<Void>(bufferCount: 1)
    /// Those that failed for want of an own address, to be begun once more: of each peer the last. As many as there may be punches.
    private let unaddressed = Mutex<[PeerID: Initiation]>([:])
    private let mailboxes: [SignalingMailbox]
    private let work: AsyncStream<Work>
    private let workContinuation: AsyncStream<Work>.Continuation
    private let hasRun = Atomic<Bool>(false)

    /// - Parameters:
    ///   - dialer: Dials for the purpose ``DIGNet/DialPurpose/punch``.
    ///   - identity: Signs what is said through `signaling`.
    ///   - signaling: Ways to reach peers without a connection, on which peers may begin a punch too.
    ///   - localAddresses: Where `peer` should aim: observed and mapped addresses of the listening port. Private ones are left out.
    ///   - punchability: What is known about the NAT here. Decides alone: the messages of DCUtR have no room for the peer's.
    ///   - isOnSameNetwork: Whether this node has proof that `peer` is in its own network, such as its multicast announcement. Only then its
    ///     private addresses are dialed, and ours sent.
    ///   - usesListeningPort: Whether this node's end of a connection is its listening port: then a punch made it and no ordinary dial beside the punch.
    ///     Nil: not known.
    ///   - allowance: What may be tried with `peer` when the two talk over `signaling` (`relay`, or a backend's name), whichever side begins. Nil:
    ///     what the configuration says.
    public init(
        dialer: any PeerDialer, router: any StreamRouter, identity: KeyPair, signaling: [any Signaling] = [],
        configuration: HolePunchingConfiguration = .init(), localAddresses: @escaping @Sendable (_ peer: PeerID) -> [Multiaddr],
        punchability: @escaping @Sendable () -> LocalPunchability = { .unknown },
        isOnSameNetwork: @escaping @Sendable (_ peer: PeerID) -> Bool = { _ in false },
        usesListeningPort: @escaping @Sendable (any Connection) -> Bool? = { _ in nil },
        allowance: @escaping @Sendable (_ peer: PeerID, _ signaling: String) -> PunchAllowance? = { _, _ in nil }, logger: Logger
    ) {
        self.dialer = dialer
        self.router = router
        self.identity = identity
        self.configuration = configuration
        self.localAddresses = localAddresses
        self.punchability = punchability
        self.allowance = allowance
        self.isOnSameNetwork = isOnSameNetwork
        self.usesListeningPort = usesListeningPort
        self.logger = logger
        self.refusals = RefusalLog(logger, naming: "dig.punch.peer")
        self.targets = PunchTargets(maximumPerHost: configuration.maximumPunchesPerHost)
        self.registry = PunchRegistry(localPeer: dialer.localPeer, capacity: configuration.maximumPunches)
        self.hub = EventBroadcast(bufferCount: configuration.eventBufferCount)
        self.mailboxes = signaling.map { SignalingMailbox(signaling: $0, localPeer: dialer.localPeer, logger: logger) }
        (self.work, self.workContinuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(max(1, configuration.maximumPunches)))
    }

    // MARK: Life cycle

    /// Answers peers until cancelled or shut down gracefully. Punches under way are given up then. Runs once.
    public func run() async throws {
        guard !self.hasRun.exchange(true, ordering: .relaxed) else { throw HolePunchError(.closed, "the service has run already") }
        self.router.register(Self.protocolID) { stream, connection in self.accept(stream, in: connection) }
        defer {
            self.router.unregister(Self.protocolID)
            self.workContinuation.finish()
            self.unaddressed.withLock { $0 = [:] }
        }
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                for mailbox in self.mailboxes {
                    group.addTask {
                        await mailbox.run { message in self.enqueue(.answer(message, mailbox)) }
                    }
                }
                for await work in self.work {
                    group.addTask { await self.perform(work) }
                }
                group.cancelAll()
            }
        }
    }

    /// What happens from now on, in punches of either side.
    public var events: AsyncStream<PunchEvent> { self.hub.subscribe() }

    /// Punches under way.
    public var activeCount: Int { self.registry.count }

    /// Whether ``events`` tell, or have told, what a new connection is owed to: a punch with its peer is under way, or has led to it.
    package func concerns(_ connection: any Connection) -> Bool {
        self.registry.concerns(connection.id, of: connection.remotePeer)
    }

    // MARK: Beginning

    /// Tells of a relayed connection, to be replaced by a direct one. Ignored unless the peer made it: only the called side begins
    /// (DCUtR, "The Protocol").
    ///
    /// - Parameter addresses: What the peer says about itself. It is dialed there without a punch at the same time.
    public func relayedConnectionOpened(_ connection: any Connection, addresses: [Multiaddr] = []) {
        guard connection.isRelayed, connection.role == .listener else { return }
        self.enqueue(.initiate(Initiation(connection: connection, addresses: addresses)))
    }

    /// Tells that `localAddresses` may answer something else from now on: what waits for it goes on, and what has failed for want of an address
    /// is begun once more, if its connection is still the way to the peer.
    public func localAddressesChanged() {
        self.addressChanges.emit(())
        let waiting = self.unaddressed.withLock { Array($0.values) }
        for var initiation in waiting {
            let peer = initiation.connection.remotePeer
            guard !self.ownAddresses(for: peer).isEmpty else { continue }
            let isMine = self.unaddressed.withLock { waiting in
                guard waiting[peer]?.connection === initiation.connection else { return false }
                waiting[peer] = nil
                return true
            }
            guard isMine, self.dialer.connection(to: peer) === initiation.connection else { continue }
            initiation.isRepeated = true
            self.enqueue(.initiate(initiation))
        }
    }

    /// Punches a hole to the peer of a relayed connection that the peer made.
    ///
    /// - Parameter addresses: What the peer says about itself, if known.
    /// - Returns: A direct connection, or the one there is.
    /// - Throws: ``HolePunchError`` with every attempt; `CancellationError`.
    public func punch(_ connection: any Connection, addresses: [Multiaddr] = []) async throws -> any Connection {
        guard connection.isRelayed, connection.role == .listener else {
            throw HolePunchError(.notRelayed, "only the called side of a relayed connection begins a punch")
        }
        let peer = connection.remotePeer
        return try await self.initiate(with: peer, over: PunchEvent.relaySignaling, directly: addresses) {
            do {
                let timeout = self.streamTimeout
                return try await RelayPunchChannel { try await StreamPunchChannel.open(in: connection, timeout: timeout) }
            } catch let error as ConnectionError where error.code == .noCommonProtocol {
                throw HolePunchError(.notSupported, "\(peer) does not punch holes", cause: error)
            }
        }.connection
    }

    /// Punches a hole to a peer without any connection to it.
    ///
    /// - Parameters:
    ///   - signaling: One of those given to `init`; ``run()`` reads it.
    ///   - addresses: What is known about the peer's addresses. It is dialed there without a punch at the same time.
    /// - Throws: ``HolePunchError``; `CancellationError`.
    public func punch(_ peer: PeerID, through signaling: any Signaling, addresses: [Multiaddr] = []) async throws -> any Connection {
        try await self.punch(peer, over: signaling.name, addresses: addresses) { _ in }.connection
    }

    /// A direct connection, and how it came about: nil if it was there already.
    package typealias Outcome = (connection: any Connection, method: PunchMethod?)

    /// As ``punch(_:through:addresses:)``, by the backend's name.
    ///
    /// - Parameter budget: Replaces the configured one.
    package func punch(_ peer: PeerID, over signaling: String, addresses: [Multiaddr] = [], budget: Duration) async throws -> Outcome {
        try await self.punch(peer, over: signaling, addresses: addresses) { $0.budget = budget }
    }

    private func punch(
        _ peer: PeerID, over signaling: String, addresses: [Multiaddr], adjusting adjust: (inout PunchSettings) -> Void
    ) async throws -> Outcome {
        guard let mailbox = self.mailboxes.first(where: { $0.signaling.name == signaling }), mailbox.isRunning else {
            throw HolePunchError(.closed, "nobody reads the signaling backend \(signaling)")
        }
        let channel = SignalingPunchChannel(
            side: .initiator, signaling: mailbox.signaling, identity: self.identity, peer: peer, lifetime: self.configuration.signalLifetime)
        mailbox.add(channel)
        defer { mailbox.remove(channel) }
        return try await self.initiate(with: peer, over: signaling, directly: addresses, adjusting: adjust) { channel }
    }

    /// Opens a TCP connection from both ends at the same moment: the last resort of punching, in one attempt.
    ///
    /// - Parameters:
    ///   - signaling: One of those given to `init`; ``run()`` reads it.
    ///   - timeout: For the whole.
    /// - Throws: ``HolePunchError``; `CancellationError`.
    public func performTCPSimultaneousOpen(
        with peer: PeerID, signaling: any Signaling, timeout: Duration = .seconds(5)
    ) async throws -> any Connection {
        try await self.punch(peer, over: signaling.name, addresses: []) { settings in
            settings.methods = [.tcpSimultaneousOpen]
            settings.maximumAttempts = min(1, settings.maximumAttempts)
            settings.budget = timeout
            settings.attemptTimeout = min(timeout, settings.attemptTimeout)
            settings.messageTimeout = min(timeout, settings.messageTimeout)
        }.connection
    }

    // MARK: What arrives

    private var streamTimeout: Duration { self.configuration.budget + self.configuration.messageTimeout }

    private func accept(_ stream: any Channel, in connection: any Connection) -> EventLoopFuture<Void> {
        stream.eventLoop.makeCompletedFuture {
            // Other implementations reset it likewise: whoever made the relayed connection waits to be told.
            guard connection.isRelayed, connection.role == .dialer else {
                throw HolePunchError(.notRelayed, "only the called side of a relayed connection begins a punch")
            }
            let channel = try StreamPunchChannel(on: stream, timeout: self.streamTimeout)
            self.enqueue(.respond(channel, connection.remotePeer))
        }.flatMapErrorThrowing { error in
            stream.close(promise: nil)
            throw error
        }
    }

    private func enqueue(_ work: Work) {
        switch self.workContinuation.yield(work) {
        case .enqueued: break
        default:
            self.logger.debug("too many punches, one is refused")
            if case .respond(let channel, _) = work { channel.close() }
        }
    }

    private func perform(_ work: Work) async {
        do {
            switch work {
            case .initiate(let initiation):
                do {
                    _ = try await self.punch(initiation.connection, addresses: initiation.addresses)
                } catch let error as HolePunchError where error.code == .noOwnAddress && !initiation.isRepeated {
                    self.keep(initiation)
                    throw error
                }
            case .respond(let channel, let peer):
                _ = try await self.respond(on: channel, to: peer)
            case .answer(let message, let mailbox):
                let channel = SignalingPunchChannel(
                    side: .responder, signaling: mailbox.signaling, identity: self.identity, peer: message.sender,
                    lifetime: self.configuration.signalLifetime)
                mailbox.add(channel, answering: message)
                defer { mailbox.remove(channel, answering: message) }
                channel.arrived(message)
                do {
                    _ = try await self.respond(on: channel, to: message.sender)
                } catch let error as HolePunchError where error.code == .busy || error.code == .limitExceeded {
                    // Nothing came of this call: the next one of the conversation may begin it anew.
                    mailbox.forget(message)
                    throw error
                }
            }
        } catch {
            // Events tell more.
            self.logger.debug("no hole was punched", metadata: ["dig.punch.error": "\(error)"])
        }
    }

    /// Remembers a punch for the time when this node knows an address of its own.
    private func keep(_ initiation: Initiation) {
        let connection = initiation.connection
        let peer = connection.remotePeer
        let isKept = self.unaddressed.withLock { waiting in
            guard waiting[peer] != nil || waiting.count < max(1, self.configuration.maximumPunches) else { return false }
            waiting[peer] = initiation
            return true
        }
        guard isKept else { return }
        connection.closeFuture.whenComplete { [weak self] _ in
            self?.unaddressed.withLock { if $0[peer]?.connection === connection { $0[peer] = nil } }
        }
        // It may have come between the last look and now.
        if !self.ownAddresses(for: peer).isEmpty { self.localAddressesChanged() }
    }

    // MARK: Sessions

    private func initiate(
        with peer: PeerID, over signaling: String, directly addresses: [Multiaddr], adjusting adjust: (inout PunchSettings) -> Void = { _ in },
        open: () async throws -> any PunchChannel
    ) async throws -> Outcome {
        if let connection = self.dialer.connection(to: peer), !connection.isRelayed { return (connection, nil) }
        let admission = try self.registry.begin(with: peer, as: .initiator, over: signaling)
        defer { self.registry.end(admission, with: peer) }
        let allowance = self.allowance(peer, signaling)
        var session = self.session(with: peer, as: .initiator, over: signaling, allowance, admission: admission)
        adjust(&session.settings)
        let channel: any PunchChannel
        do {
            channel = try await open()
        } catch is CancellationError {
            throw session.givenUp()
        } catch {
            throw session.failed(error as? HolePunchError ?? HolePunchError(.signalingFailed, "\(peer) can't be spoken to", cause: error))
        }
        let outcome = try await session.run(
            PunchInitiatorStateMachine(settings: session.settings, addresses: session.ownAddresses(), now: .now, select: session.select), over: channel,
            directly: allowance?.dialsDirectlyToo ?? self.configuration.dialsDirectlyToo ? session.select(addresses) : nil)
        self.registry.succeeded(outcome.connection.id)
        return outcome
    }

    private func respond(on channel: any PunchChannel, to peer: PeerID) async throws -> any Connection {
        let admission: PunchRegistry.Admission
        do {
            admission = try self.registry.begin(with: peer, as: .responder, over: channel.name)
        } catch {
            channel.close()
            throw error
        }
        defer { self.registry.end(admission, with: peer) }
        let session = self.session(with: peer, as: .responder, over: channel.name, self.allowance(peer, channel.name), admission: admission)
        let connection = try await session.run(
            PunchResponderStateMachine(settings: session.settings, addresses: session.ownAddresses(), now: .now, select: session.select), over: channel,
            directly: nil
        ).connection
        self.registry.succeeded(connection.id)
        return connection
    }

    private func selection(for peer: PeerID) -> PunchAddresses {
        PunchAddresses(
            policy: self.configuration.addressPolicy, maximumCount: self.configuration.maximumAddresses,
            maximumHosts: self.configuration.maximumHosts, maximumPortsPerHost: self.configuration.maximumPortsPerHost,
            allowsLocal: self.isOnSameNetwork(peer))
    }

    /// Where `peer` is to aim.
    private func ownAddresses(for peer: PeerID) -> [Multiaddr] {
        self.selection(for: peer).select(self.localAddresses(peer), of: self.dialer.localPeer).usable
    }

    private func session(
        with peer: PeerID, as side: PunchEvent.Side, over signaling: String, _ allowance: PunchAllowance?, admission: PunchRegistry.Admission
    ) -> PunchSession {
        let selection = self.selection(for: peer)
        var settings = PunchSettings(self.configuration, mapping: self.punchability().mapping)
        if let allowance { settings.methods = allowance.methods }
        // What is said may be underway for as long as that, in each direction; the moments to dial differ by the same.
        let delay = self.mailboxes.first { $0.signaling.name == signaling }?.signaling.typicalDelay ?? .zero
        settings.messageTimeout += delay * 2
        settings.attemptTimeout += delay / 2
        return PunchSession(
            peer: peer, side: side, signaling: signaling, dialer: self.dialer, settings: settings, ownAddresses: { self.ownAddresses(for: peer) },
            // Before the first look at them, so that no change is missed.
            addressChanges: self.addressChanges.subscribe(), selection: selection, targets: self.targets, source: selection.allowsLocal ? .user : .stranger,
            usesListeningPort: self.usesListeningPort, stopped: admission.stopped, hub: self.hub, refusals: self.refusals)
    }
}
