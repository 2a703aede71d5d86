import DIGMultiformats
import DIGNet
public import DIGUDP
public import Logging
public import NIOCore
import NIOPosix
import Synchronization

/// Tells others how the world sees them: a STUN server over UDP and TCP (RFC 8489), with what RFC 5780 needs if it has two addresses.
///
/// On a shared UDP port, register whoever else answers binding requests, an ICE agent for example, before it.
public final class STUNServer: Sendable {
    private let configuration: STUNServerConfiguration
    private let logger: Logger
    private let state: Mutex<State>
    private let handler: STUNServerHandler

    private struct State {
        var responder: STUNResponder
        var statistics = STUNServerStatistics()
        var listeners: [any Channel] = []
        var endpoints: [UDPEndpoint] = []
        var connections: [ObjectIdentifier: (channel: any Channel, key: STUNNetworkKey)] = [:]
        var connectionCounts: [STUNNetworkKey: Int] = [:]
        var isStopped = false
    }

    public init(configuration: STUNServerConfiguration = .init(), logger: Logger = Logger(label: "dig.stun")) {
        self.configuration = configuration
        self.logger = logger
        self.state = Mutex(State(responder: STUNResponder(configuration)))
        self.handler = STUNServerHandler()
        self.handler.server.withLock { $0 = WeakServer(self) }
    }

    public var statistics: STUNServerStatistics { self.state.withLock { $0.statistics } }

    /// Answers requests that come to `endpoint`, until ``stop()`` or until the endpoint is closed.
    ///
    /// For RFC 5780 the endpoints served have to cover all of ``STUNServerConfiguration/BehaviorDiscovery/addresses``: one bound to the four, or one with a
    /// wildcard for each port.
    public func serve(_ endpoint: UDPEndpoint) {
        let isServed = self.state.withLock { state in
            guard !state.isStopped else { return false }
            state.endpoints.append(endpoint)
            return true
        }
        if isServed { endpoint.register(self.handler, for: .stun) }
    }

    /// Answers requests over TCP on `address`.
    ///
    /// - Parameter group: NIOPosix's `MultiThreadedEventLoopGroup`.
    /// - Returns: The address with the port that the system chose.
    /// - Throws: The system's error if the address cannot be bound; ``STUNError`` with `.closed` after ``stop()``.
    @discardableResult
    public func listen(on address: SocketAddress, group: any EventLoopGroup) async throws -> SocketAddress {
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                guard self.accept(channel) else { return channel.close() }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        IdleStateHandler(readTimeout: TimeAmount(self.configuration.idleTimeout)),
                        ByteToMessageHandler(STUNFrameDecoder(maximumByteCount: self.configuration.maximumRequestByteCount)),
                        STUNServerStreamHandler(server: self))
                }
            }
            .bind(to: address).get()
        let isStopped = self.state.withLock { state in
            if !state.isStopped { state.listeners.append(channel) }
            return state.isStopped
        }
        guard !isStopped, let bound = channel.localAddress else {
            channel.close(promise: nil)
            throw STUNError(.closed, "the STUN server was stopped")
        }
        return bound
    }

    /// Answers nothing more, and closes every TCP connection. The UDP endpoints stay open.
    public func stop() async {
        let (endpoints, channels) = self.state.withLock { state in
            state.isStopped = true
            let channels = state.listeners + state.connections.values.map(\.channel)
            let endpoints = state.endpoints
            state.listeners = []
            state.endpoints = []
            return (endpoints, channels)
        }
        for endpoint in endpoints { endpoint.unregister(self.handler) }
        for channel in channels {
            channel.close(promise: nil)
            // Closed already is as good.
            _ = try? await channel.closeFuture.get()
        }
    }

    // MARK: UDP

    fileprivate func received(_ datagram: Datagram, on endpoint: UDPEndpoint) -> Bool {
        let (action, endpoints) = self.state.withLock { state in
            let action = state.responder.received(datagram.payload, from: datagram.source, at: datagram.destination, now: .now)
            Self.count(action, in: &state.statistics)
            return (action, state.endpoints)
        }
        switch action {
        case .notOurs: return false
        case .drop(let reason): self.log(reason, datagram.source)
        case .respond(let response, let destination, let source):
            // A wildcard is no address to send from.
            guard let source, source.scope != .unspecified else {
                endpoint.send(response, to: destination)
                break
            }
            let sender = endpoint.canSend(from: source) ? endpoint : endpoints.first { $0.canSend(from: source) }
            sender?.send(response, to: destination, from: source)
        }
        return true
    }

    // MARK: TCP

    private func accept(_ channel: any Channel) -> Bool {
        guard let key = channel.remoteAddress.flatMap({ STUNNetworkKey($0) }) else { return false }
        let isAccepted = self.state.withLock { state in
            guard !state.isStopped, state.connections.count < self.configuration.maximumConnectionCount,
                state.connectionCounts[key, default: 0] < self.configuration.maximumConnectionsPerNetwork
            else {
                state.statistics.connectionsRefused &+= 1
                return false
            }
            state.statistics.connections &+= 1
            state.connections[ObjectIdentifier(channel)] = (channel, key)
            state.connectionCounts[key, default: 0] += 1
            return true
        }
        guard isAccepted else { return false }
        channel.closeFuture.whenComplete { _ in
            self.state.withLock { state in
                guard state.connections.removeValue(forKey: ObjectIdentifier(channel)) != nil else { return }
                state.connectionCounts[key, default: 1] -= 1
                if state.connectionCounts[key] == 0 { state.connectionCounts[key] = nil }
            }
        }
        return true
    }

    /// Nil closes the connection: over TCP there is no forged source to be patient with.
    fileprivate func answer(_ frame: ByteBuffer, from source: SocketAddress, at local: SocketAddress) -> ByteBuffer? {
        let action = self.state.withLock { state in
            let action = state.responder.received(frame, from: source, at: local, isStream: true, now: .now)
            Self.count(action, in: &state.statistics)
            return action
        }
        switch action {
        case .respond(let response, _, _): return response
        case .drop(let reason): self.log(reason, source)
        case .notOurs: break
        }
        return nil
    }

    private static func count(_ action: STUNResponder.Action, in statistics: inout STUNServerStatistics) {
        switch action {
        case .respond: statistics.answered &+= 1
        case .drop(.rateLimited): statistics.rateLimited &+= 1
        case .drop: statistics.dropped &+= 1
        case .notOurs: break
        }
    }

    private func log(_ reason: STUNResponder.Reason, _ source: SocketAddress) {
        self.logger.trace("STUN request not answered", metadata: ["dig.stun.reason": "\(reason.rawValue)", "dig.stun.source": "\(source)"])
    }
}

private struct WeakServer: Sendable {
    weak var server: STUNServer?
    init(_ server: STUNServer?) { self.server = server }
}

/// What endpoints hold, so that they do not hold the server.
private final class STUNServerHandler: DatagramHandler {
    let server = Mutex(WeakServer(nil))

    func received(_ datagram: Datagram, on endpoint: UDPEndpoint) -> Bool {
        self.server.withLock { $0.server }?.received(datagram, on: endpoint) ?? false
    }
}

/// Answers one TCP connection, request by request.
private final class STUNServerStreamHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let server: STUNServer

    init(server: STUNServer) { self.server = server }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let source = context.channel.remoteAddress, let local = context.channel.localAddress,
            // A client that does not read its answers gets no more.
            context.channel.isWritable, let answer = self.server.answer(self.unwrapInboundIn(data), from: source, at: local)
        else {
            context.close(promise: nil)
            return
        }
        context.writeAndFlush(self.wrapOutboundOut(answer), promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
