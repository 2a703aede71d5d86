import DIGIdentity
import DIGMultiformats
import DIGMultistream
import DIGNet
import DIGNoise
import DIGYamux
import NIOCore
import Synchronization

/// Makes a raw channel a connection: multistream-select, Noise, then Yamux, agreed on inside Noise if both sides can
/// (libp2p connections and noise specifications).
final class ConnectionUpgrade: Sendable {
    private struct State {
        var channel: (any Channel)?
        var localAddress: Multiaddr?
        /// Makes the channel.
        var dialing: Task<any Channel, any Error>?
        var timer: Scheduled<Void>?
        /// Waits for the peer to begin.
        var detection: NIOLoopBound<RoleDetectionHandler>?
        /// The peer may hold the connection for made: the last message of the security handshake has left.
        var isSecured = false
        var isCancelled = false
        var isFinished = false
    }

    private let role: RoleChoice
    private let expectedPeer: PeerID?
    let remoteAddress: Multiaddr
    private let swarm: Swarm
    private let state = Mutex(State())
    private let promise: EventLoopPromise<SwarmConnection>

    /// - Parameter expecting: The peer that was dialed; anybody else is refused before a byte of an application is sent.
    init(role: RoleChoice, expecting: PeerID?, remoteAddress: Multiaddr, on eventLoop: any EventLoop, swarm: Swarm) {
        self.role = role
        self.expectedPeer = expecting
        self.remoteAddress = remoteAddress
        self.swarm = swarm
        self.promise = eventLoop.makePromise(of: SwarmConnection.self)
    }

    /// Succeeds when the swarm has taken the connection; the channel is closed if it fails.
    var result: EventLoopFuture<SwarmConnection> { self.promise.futureResult }

    /// This end's address, if it was known when the upgrade began.
    var localAddress: Multiaddr? { self.state.withLock { $0.localAddress } }

    /// Ties the task that makes the channel to the upgrade, so that ``cancel()`` cancels it.
    func started(_ dialing: Task<any Channel, any Error>) {
        let isCancelled = self.state.withLock { state in
            state.dialing = dialing
            return state.isCancelled
        }
        if isCancelled { dialing.cancel() }
    }

    /// Takes a channel with an empty pipeline, on its event loop, active or not, from inside its initializer.
    ///
    /// - Throws: `CancellationError` if nobody wants the connection any more. The initializer fails with it, which closes the channel.
    func start(on channel: any Channel) throws {
        let isFinished = self.state.withLock { state in
            state.channel = channel
            state.localAddress = channel.localAddress.flatMap { Multiaddr(tcp: $0) }
            return state.isFinished
        }
        guard !isFinished else { throw CancellationError() }
        do {
            try channel.pipeline.syncOperations.addHandler(TrafficHandler(counter: self.swarm.traffic))
            switch self.role {
            case .fixed(let role):
                self.start(on: channel, as: role)
            case .detected(let silence):
                let role = channel.eventLoop.makePromise(of: ConnectionRole.self)
                let detection = RoleDetectionHandler(silence: silence, promise: role)
                try channel.pipeline.syncOperations.addHandler(detection)
                self.state.withLock { $0.detection = NIOLoopBound(detection, eventLoop: channel.eventLoop) }
                // In one turn: the next handler must be there when the detecting one passes on what it has read.
                role.futureResult.whenComplete { result in
                    switch result {
                    case .success(let role): self.start(on: channel, as: role)
                    case .failure(let error): self.finish(.failure(error))
                    }
                }
            }
        } catch {
            self.finish(.failure(error))
            throw error
        }
    }

    /// If the peer has said nothing yet, it has so much time from now before this end takes the dialer's side. Without effect on a channel whose
    /// side is fixed.
    func limitSilence(to silence: Duration) {
        guard let detection = self.state.withLock({ $0.detection }) else { return }
        detection.eventLoop.execute { detection.value.limitSilence(to: silence) }
    }

    private func start(on channel: any Channel, as role: ConnectionRole) {
        self.negotiate([Noise.protocolID], on: channel, as: role)
            .flatMap { _ in
                Noise.secure(channel, as: role, identity: self.swarm.identity, expecting: self.expectedPeer, muxers: [Yamux.protocolID])
            }
            .flatMap { secured in
                self.secured(secured, channel: channel, as: role)
            }
            .whenComplete { self.finish($0) }
    }

    /// The loop on which the handshake runs. A channel that is a stream of another connection has that one's loop, whatever was asked for.
    private var eventLoop: any EventLoop {
        self.state.withLock { $0.channel?.eventLoop } ?? self.promise.futureResult.eventLoop
    }

    /// Gives up when `duration` has passed.
    func limit(to duration: Duration) {
        let timer = self.eventLoop.scheduleTask(in: TimeAmount(duration)) {
            self.finish(.failure(ConnectionError(.timedOut, "the handshake took longer than \(duration)")))
        }
        let isFinished = self.state.withLock { state in
            state.timer = timer
            return state.isFinished
        }
        if isFinished { timer.cancel() }
    }

    /// Nobody wants the connection. It is made all the same if the peer may use it already.
    ///
    /// Decided on the event loop, where the handshake sends its last message and ends in one turn.
    func cancel() {
        let eventLoop = self.eventLoop
        eventLoop.execute {
            // Nil: the channel was made meanwhile, and lives elsewhere.
            let decision: (isCancelled: Bool, dialing: Task<any Channel, any Error>?)? = self.state.withLock { state in
                if let channel = state.channel, channel.eventLoop !== eventLoop { return nil }
                if !state.isSecured { state.isCancelled = true }
                return (state.isCancelled, state.dialing)
            }
            guard let decision else { return self.cancel() }
            guard decision.isCancelled else { return }
            self.finish(.failure(CancellationError()))
            decision.dialing?.cancel()
        }
    }

    /// Closes the channel whatever the peer believes.
    func abort() {
        self.finish(.failure(ConnectionError(.closed, "the swarm is shut down")))
    }

    /// No channel was made.
    func dialFailed(_ error: any Error) {
        self.finish(.failure(error))
    }

    private func negotiate(_ protocols: [ProtocolID], on channel: any Channel, as role: ConnectionRole) -> EventLoopFuture<ProtocolID> {
        switch role {
        case .dialer: Multistream.negotiate(on: channel, proposing: protocols)
        case .listener: Multistream.answer(on: channel, supporting: { protocols })
        }
    }

    private func secured(_ secured: SecuredChannel, channel: any Channel, as role: ConnectionRole) -> EventLoopFuture<SwarmConnection> {
        let isFinished = self.state.withLock { state in
            state.isSecured = true
            return state.isFinished
        }
        guard !isFinished else { return channel.eventLoop.makeFailedFuture(CancellationError()) }
        guard secured.remotePeer != self.swarm.localPeer else {
            return channel.eventLoop.makeFailedFuture(ConnectionError(.peerMismatch, "the peer is this node itself"))
        }
        if let expectedPeer, secured.remotePeer != expectedPeer {
            return channel.eventLoop.makeFailedFuture(
                ConnectionError(.peerMismatch, "\(secured.remotePeer) answered instead of \(expectedPeer)"))
        }
        let connection = self.swarm.makeConnection(
            role: role, secured: secured, remoteAddress: self.remoteAddress, channel: channel)
        if secured.earlyMuxer == Yamux.protocolID {
            return self.multiplex(connection)
        }
        return self.negotiate([Yamux.protocolID], on: channel, as: role).flatMap { _ in self.multiplex(connection) }
    }

    private func multiplex(_ connection: SwarmConnection) -> EventLoopFuture<SwarmConnection> {
        Yamux.multiplex(connection.channel, as: connection.role, configuration: self.swarm.configuration.yamux) { stream in
            connection.accept(stream)
        }.flatMapThrowing { multiplexer in
            connection.started(with: multiplexer)
            try self.swarm.established(connection)
            return connection
        }
    }

    private func finish(_ result: Result<SwarmConnection, any Error>) {
        let state: State? = self.state.withLock { state in
            guard !state.isFinished else { return nil }
            state.isFinished = true
            defer {
                state.channel = nil
                state.timer = nil
                state.detection = nil
            }
            return state
        }
        guard let state else { return }
        state.timer?.cancel()
        if case .failure = result { state.channel?.close(promise: nil) }
        self.promise.completeWith(result)
    }
}
