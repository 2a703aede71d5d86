import DIGIdentity
import DIGMultiformats
import DIGMultistream
import DIGNet
import DIGNoise
import NIOCore
import Synchronization

/// An upgraded connection: negotiates its streams, counts them, and closes itself when nobody uses it.
final class SwarmConnection: Connection, Sendable {
    private struct State {
        var multiplexer: (any StreamMultiplexer)?
        var isClosing = false
        /// Streams with an agreed protocol that counts as use.
        var activeStreams = 0
        /// All streams, also those that are being negotiated.
        var openStreams = 0
        var negotiatingInbound = 0
        /// Inbound streams of identify and ping.
        var housekeepingStreams = 0
        var lastUse: NIODeadline
        var isRedundant = false
        var idleTimer: Scheduled<Void>?
    }

    let id: ConnectionID
    let role: ConnectionRole
    let localPeer: PeerID
    let remotePeer: PeerID
    let remotePublicKey: PublicKey
    let remoteAddress: Multiaddr
    let localAddress: Multiaddr?
    let isRelayed: Bool
    let channelBinding: [UInt8]
    let establishedAt: NIODeadline
    let channel: any Channel

    private let protocols: ProtocolTable
    private let configuration: SwarmConfiguration
    /// Whether the connection is to be kept without streams.
    private let isProtected: @Sendable (PeerID) -> Bool
    private let state: Mutex<State>

    init(
        id: ConnectionID, role: ConnectionRole, localPeer: PeerID, secured: SecuredChannel, remoteAddress: Multiaddr, channel: any Channel,
        protocols: ProtocolTable, configuration: SwarmConfiguration, isProtected: @escaping @Sendable (PeerID) -> Bool
    ) {
        self.id = id
        self.role = role
        self.localPeer = localPeer
        self.remotePeer = secured.remotePeer
        self.remotePublicKey = secured.remotePublicKey
        self.channelBinding = secured.handshakeHash
        self.remoteAddress = remoteAddress
        self.isRelayed = remoteAddress.components.contains(.p2pCircuit)
        self.localAddress = self.isRelayed ? nil : channel.localAddress.flatMap { Multiaddr(tcp: $0) }
        self.channel = channel
        self.establishedAt = .now()
        self.protocols = protocols
        self.configuration = configuration
        self.isProtected = isProtected
        self.state = Mutex(State(lastUse: self.establishedAt))
    }

    /// Nil before it is ready and once the connection is gone.
    var multiplexer: (any StreamMultiplexer)? { self.state.withLock { $0.multiplexer } }
    var eventLoop: any EventLoop { self.channel.eventLoop }
    var closeFuture: EventLoopFuture<Void> { self.channel.closeFuture }

    /// The multiplexer is ready: streams can be opened.
    func started(with multiplexer: any StreamMultiplexer) {
        self.state.withLock { $0.multiplexer = multiplexer }
        self.armIdleTimer(in: self.configuration.idleTimeout)
    }

    // MARK: Use

    var isUsed: Bool { self.state.withLock { $0.activeStreams > 0 || $0.negotiatingInbound > 0 } }
    var openStreamCount: Int { self.state.withLock { $0.openStreams } }
    var lastUse: NIODeadline { self.state.withLock { $0.lastUse } }
    var isRedundant: Bool { self.state.withLock { $0.isRedundant } }
    var isClosing: Bool { self.state.withLock { $0.isClosing } }

    /// Another connection to the peer is preferred (true) or is not there any more (false).
    ///
    /// Only the dialer closes a redundant connection, once no stream has been open for the grace time, so that the two sides never
    /// close one each.
    func setRedundant(_ isRedundant: Bool) {
        let changed = self.state.withLock { state in
            defer {
                state.isRedundant = isRedundant
                state.lastUse = .now()
            }
            return state.isRedundant != isRedundant
        }
        if changed { self.armIdleTimer(in: self.patience) }
    }

    private var patience: Duration {
        self.role == .dialer && self.isRedundant ? self.configuration.redundantConnectionGrace : self.configuration.idleTimeout
    }

    private func armIdleTimer(in delay: Duration) {
        let timer = self.eventLoop.scheduleTask(in: TimeAmount(delay)) { self.idleTimerFired() }
        let previous = self.state.withLock { state in
            defer { state.idleTimer = timer }
            return state.idleTimer
        }
        previous?.cancel()
        if !self.channel.isActive { timer.cancel() }
    }

    private func idleTimerFired() {
        guard self.channel.isActive else { return }
        let patience = self.patience
        let isExempt = !self.isRedundant && self.isProtected(self.remotePeer)
        // Nil: close. Looked at and marked in one step, so that no stream is opened in between.
        let wait: Duration? = self.state.withLock { state in
            let isUsed = state.activeStreams > 0 || state.negotiatingInbound > 0
            guard !isUsed, !isExempt, !state.isClosing else { return patience }
            let left = Duration(state.lastUse + TimeAmount(patience) - .now())
            guard left <= .zero else { return left }
            state.isClosing = true
            return nil
        }
        if let wait { self.armIdleTimer(in: wait) } else { self.sayGoodbye() }
    }

    /// Counts `stream` as use until it closes.
    private func markUsed(by stream: any Channel) {
        self.state.withLock { $0.activeStreams += 1 }
        stream.closeFuture.whenComplete { _ in
            self.state.withLock { state in
                state.activeStreams -= 1
                state.lastUse = .now()
            }
        }
    }

    private func markOpen(_ stream: any Channel) {
        self.state.withLock { $0.openStreams += 1 }
        stream.closeFuture.whenComplete { _ in
            self.state.withLock { $0.openStreams -= 1 }
        }
    }

    // MARK: Outbound streams

    func openStream(
        speaking protocols: [ProtocolID],
        initializer: @escaping @Sendable (any Channel, ProtocolID) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        let pending = PendingChannel()
        return try await pending.run {
            try await self.makeStream(speaking: protocols, pending: pending, initializer: initializer).get()
        }
    }

    /// - Parameter pending: Is told about the stream, so that cancelling can close it.
    func makeStream(
        speaking protocols: [ProtocolID], pending: PendingChannel? = nil,
        initializer: @escaping @Sendable (any Channel, ProtocolID) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<any Channel> {
        let multiplexer = self.state.withLock { state in
            state.lastUse = .now()
            return state.isClosing ? nil : state.multiplexer
        }
        guard let multiplexer else {
            return self.eventLoop.makeFailedFuture(ConnectionError(.closed, "the connection to \(self.remotePeer) is closed"))
        }
        let counts = !Swarm.housekeepingProtocols.isSuperset(of: protocols)
        let agreed = self.eventLoop.makePromise(of: ProtocolID.self)
        let timeout = self.configuration.streamNegotiationTimeout

        let opened = multiplexer.openStream { stream in
            do { try pending?.made(stream) } catch { return stream.eventLoop.makeFailedFuture(error) }
            self.markOpen(stream)
            if counts { self.markUsed(by: stream) }
            let timer = stream.eventLoop.scheduleTask(in: TimeAmount(timeout)) {
                agreed.fail(ConnectionError(.timedOut, "\(self.remotePeer) agreed on no protocol within \(timeout)"))
                stream.close(promise: nil)
            }
            Multistream.negotiate(on: stream, proposing: protocols) { id in initializer(stream, id) }
                .whenComplete { result in
                    timer.cancel()
                    agreed.completeWith(result)
                }
            return stream.eventLoop.makeSucceededVoidFuture()
        }
        opened.whenFailure { agreed.fail($0) }
        return opened.and(agreed.futureResult).map(\.0)
    }

    // MARK: Inbound streams

    /// Agrees with the peer on a registered protocol and hands the stream to its handler.
    func accept(_ stream: any Channel) -> EventLoopFuture<Void> {
        let isAdmitted = self.state.withLock { state in
            guard !state.isClosing, state.negotiatingInbound < self.configuration.maximumNegotiatingStreams else { return false }
            state.negotiatingInbound += 1
            return true
        }
        guard isAdmitted else {
            return stream.eventLoop.makeFailedFuture(ConnectionError(.streamLimitExceeded, "too many streams are being negotiated"))
        }
        self.markOpen(stream)
        let timer = stream.eventLoop.scheduleTask(in: TimeAmount(self.configuration.streamNegotiationTimeout)) {
            stream.close(promise: nil)
        }
        Multistream.answer(on: stream, supporting: { self.protocols.ids }) { id in
            guard let handler = self.protocols.handler(for: id) else {
                return stream.eventLoop.makeFailedFuture(ConnectionError(.noCommonProtocol, "\(id) is not registered any more"))
            }
            if Swarm.housekeepingProtocols.contains(id) {
                guard self.admitHousekeeping(stream) else {
                    return stream.eventLoop.makeFailedFuture(
                        ConnectionError(.streamLimitExceeded, "too many streams of identify and ping are open"))
                }
            } else {
                self.markUsed(by: stream)
            }
            return handler(stream, self)
        }.whenComplete { _ in
            // A failed negotiation closes the stream by itself.
            timer.cancel()
            self.state.withLock { state in
                state.negotiatingInbound -= 1
                state.lastUse = .now()
            }
        }
        return stream.eventLoop.makeSucceededVoidFuture()
    }

    /// Counts `stream` until it closes, if there is room for it. Every stream may hold a window of bytes, and nobody needs many of these.
    private func admitHousekeeping(_ stream: any Channel) -> Bool {
        let isAdmitted = self.state.withLock { state in
            guard state.housekeepingStreams < self.configuration.maximumHousekeepingStreams else { return false }
            state.housekeepingStreams += 1
            return true
        }
        guard isAdmitted else { return false }
        stream.closeFuture.whenComplete { _ in self.state.withLock { $0.housekeepingStreams -= 1 } }
        return true
    }

    // MARK: Closing

    func close() async {
        self.startClosing()
        // Whether the channel closed well or badly, it is closed.
        try? await self.closeFuture.get()
    }

    /// Says goodbye; the channel is closed within ``SwarmConfiguration/closeTimeout``.
    func startClosing() {
        let isFirst = self.state.withLock { state in
            defer { state.isClosing = true }
            return !state.isClosing
        }
        if isFirst { self.sayGoodbye() }
    }

    private func sayGoodbye() {
        let multiplexer = self.state.withLock { state in
            state.idleTimer?.cancel()
            state.idleTimer = nil
            return state.multiplexer
        }
        guard let multiplexer else { return self.channel.close(promise: nil) }
        multiplexer.close()
        let channel = self.channel
        let timer = self.eventLoop.scheduleTask(in: TimeAmount(self.configuration.closeTimeout)) { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in timer.cancel() }
    }

    /// The channel is closed: nothing may keep the connection alive.
    func closed() {
        let timer = self.state.withLock { state in
            defer {
                state.isClosing = true
                state.multiplexer = nil
                state.idleTimer = nil
            }
            return state.idleTimer
        }
        timer?.cancel()
    }
}
