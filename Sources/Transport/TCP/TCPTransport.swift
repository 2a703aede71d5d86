public import DIGMultiformats
public import DIGNet
public import NIOCore
import NIOPosix
import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// TCP sockets: `/ip4`, `/ip6`, `/ip6zone/…/ip6`, `/dns`, `/dns4`, `/dns6`, each with `/tcp`.
public struct TCPTransport: Transport {
    private let group: any EventLoopGroup
    private let configuration: TCPConfiguration
    private let boundAddresses = BoundAddresses()

    /// - Parameter group: Its loops carry the accepted channels. NIOPosix's `MultiThreadedEventLoopGroup`.
    public init(group: any EventLoopGroup, configuration: TCPConfiguration = .init()) {
        self.group = group
        self.configuration = configuration
    }

    public func canDial(_ address: Multiaddr) -> Bool {
        TCPEndpoint(address) != nil
    }

    public func canListen(on address: Multiaddr) -> Bool {
        guard let endpoint = TCPEndpoint(address), case .ip = endpoint.host else { return false }
        return true
    }

    public func resolve(_ address: Multiaddr) async throws -> [Multiaddr] {
        guard let (endpoint, rest) = TCPEndpoint.parse(address.components), case .name(let name, let family) = endpoint.host else {
            return [address]
        }
        return try await HostResolver.resolve(name, family: family).compactMap(Multiaddr.init(ip:)).map {
            Multiaddr(components: $0.components + [.tcp(endpoint.port)] + rest)
        }
    }

    /// A name is resolved and its addresses are tried one after the other; callers that race them call ``resolve(_:)`` first.
    public func dial(
        _ address: Multiaddr, for purpose: DialPurpose, on eventLoop: any EventLoop,
        initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        var lastError: any Error = ConnectionError(.protocolViolation, "\(address) is no TCP address")
        for address in try await self.resolve(address) {
            guard let endpoint = TCPEndpoint(address), case .ip(let ip) = endpoint.host else { continue }
            do {
                let address = try SocketAddress(ip: ip, port: endpoint.port)
                switch purpose {
                case .connect: return try await self.connect(to: address, on: eventLoop, initializer: initializer)
                case .punch: return try await self.punch(address, on: eventLoop, initializer: initializer)
                case .dialBack: return try await self.dial(address, from: nil, on: eventLoop, initializer: initializer)
                }
            } catch let error as CancellationError {
                throw error
            } catch {
                lastError = error
            }
        }
        throw lastError
    }

    private func connect(
        to address: SocketAddress, on eventLoop: any EventLoop,
        initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        if self.configuration.dialsFromListeningPort, self.configuration.sharesListeningPort,
            let local = self.boundAddresses.source(for: address)
        {
            do {
                return try await self.dial(address, from: local, on: eventLoop, initializer: initializer)
            } catch where Self.concernsSource(error) {
                // The four-tuple is in use or in TIME_WAIT, the listener's address leads nowhere, or the two are the same: a port of the
                // system's choice will do.
            }
        }
        return try await self.dial(address, from: nil, on: eventLoop, initializer: initializer)
    }

    /// Whether another source may do what this one could not.
    private static func concernsSource(_ error: any Error) -> Bool {
        switch error {
        case let error as IOError: [EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENETUNREACH].contains(error.errnoCode)
        case let error as ConnectionError: error.code == .peerMismatch
        default: false
        }
    }

    /// Dials again and again from the listening port, so that there is nearly always a socket which waits for the peer's SYN (a simultaneous
    /// open, RFC 9293 §3.5); between two attempts the listener takes it.
    private func punch(
        _ address: SocketAddress, on eventLoop: any EventLoop,
        initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        guard self.configuration.sharesListeningPort else {
            throw ConnectionError(.notListening, "the configuration does not share the listening port with dials")
        }
        guard let local = self.boundAddresses.source(for: address) else {
            throw ConnectionError(.notListening, "no listener of this address family to punch from")
        }
        let clock = ContinuousClock()
        let end = clock.now + self.configuration.connectTimeout
        var lastError: any Error = ConnectionError(.timedOut, "no answer in \(self.configuration.connectTimeout)")
        while true {
            let left = clock.now.duration(to: end)
            guard left > .zero else { throw lastError }
            do {
                return try await self.dial(
                    address, from: local, for: min(self.configuration.punchAttemptTimeout, left), on: eventLoop
                ) { channel in
                    PunchedSocketHandler.install(on: channel).flatMap { initializer(channel) }
                }
            } catch where Self.mayPassLater(error) {
                // Silence says less than a refusal did.
                if error is IOError { lastError = error }
                try await clock.sleep(for: self.configuration.punchRetryDelay * Double.random(in: 0.5...1.5))
            }
        }
    }

    /// Whether a punch that failed so is worth another attempt.
    private static func mayPassLater(_ error: any Error) -> Bool {
        switch error {
        case let error as IOError:
            // EADDRNOTAVAIL, on some systems EADDRINUSE: the listener has accepted the peer's dial; if that comes to nothing the pair is free again.
            [ECONNREFUSED, ECONNRESET, ECONNABORTED, EHOSTUNREACH, ETIMEDOUT, EADDRNOTAVAIL, EADDRINUSE].contains(error.errnoCode)
        case let error as ConnectionError:
            error.code == .timedOut
        default:
            false
        }
    }

    private func dial(
        _ address: SocketAddress, from local: SocketAddress?, for timeout: Duration? = nil, on eventLoop: any EventLoop,
        initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        let timeout = timeout ?? self.configuration.connectTimeout
        let pending = PendingChannel()
        var bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(timeout))
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: self.configuration.receiveBufferByteCount))
            .channelOption(.maxMessagesPerRead, value: self.configuration.maximumReadsPerLoop)
            .channelOption(.writeBufferWaterMark, value: self.configuration.writeBufferWaterMark)
            .channelInitializer { channel in
                do { try pending.made(channel) } catch { return channel.eventLoop.makeFailedFuture(error) }
                return local == nil ? initializer(channel) : channel.eventLoop.makeSucceededVoidFuture()
            }
        if let local {
            // The initializer runs once, so not before it is certain that the port can be used.
            bootstrap = bootstrap.bind(to: local).channelOption(.socketOption(.so_reuseaddr), value: 1)
                .channelOption(.socketOption(.reusePort), value: 1)
                .channelOption(.autoRead, value: false)
        }
        do {
            return try await pending.run {
                try await bootstrap.connect(to: address).flatMap { channel in
                    Self.connected(channel, initializer: local == nil ? nil : initializer)
                }.get()
            }
        } catch ChannelError.connectTimeout {
            throw ConnectionError(.timedOut, "no answer in \(timeout)")
        }
    }

    /// - Parameter initializer: Has not run yet; nil if it has.
    private static func connected(
        _ channel: any Channel, initializer: (@Sendable (any Channel) -> EventLoopFuture<Void>)?
    ) -> EventLoopFuture<any Channel> {
        // A socket whose SYN comes back to itself is connected to itself, which TCP takes for a simultaneous open.
        if let local = channel.localAddress, local == channel.remoteAddress {
            channel.close(promise: nil)
            return channel.eventLoop.makeFailedFuture(ConnectionError(.peerMismatch, "the address is that of this node itself"))
        }
        guard let initializer else { return channel.eventLoop.makeSucceededFuture(channel) }
        return initializer(channel).flatMap { channel.setOption(.autoRead, value: true) }.map { channel }
            .flatMapErrorThrowing { error in
                channel.close(promise: nil)
                throw error
            }
    }

    public func listen(
        on address: Multiaddr,
        initializer: @escaping @Sendable (any Channel, Multiaddr) -> EventLoopFuture<Void>
    ) async throws -> any Listener {
        guard let endpoint = TCPEndpoint(address), case .ip(let ip) = endpoint.host else {
            throw ConnectionError(.protocolViolation, "\(address) is no TCP address to listen on")
        }
        let socketAddress = try SocketAddress(ip: ip, port: endpoint.port)
        if self.configuration.sharesListeningPort, endpoint.port != 0 { try ListeningPort.requireFree(socketAddress) }
        var bootstrap = ServerBootstrap(group: self.group)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                }
            }
            .serverChannelOption(.backlog, value: self.configuration.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            // Grows with what comes: a thousand idle peers must not hold a thousand large buffers.
            .childChannelOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 2048, maximum: max(2048, self.configuration.receiveBufferByteCount)))
            .childChannelOption(.maxMessagesPerRead, value: self.configuration.maximumReadsPerLoop)
            .childChannelOption(.writeBufferWaterMark, value: self.configuration.writeBufferWaterMark)
            .childChannelInitializer { channel in
                guard let remote = channel.remoteAddress.flatMap({ Multiaddr(tcp: $0) }) else {
                    return channel.eventLoop.makeFailedFuture(ConnectionError(.closed, "the peer was gone before it was accepted"))
                }
                return initializer(channel, remote)
            }
        if self.configuration.sharesListeningPort {
            bootstrap = bootstrap.serverChannelOption(.socketOption(.reusePort), value: 1)
        }
        if case .v6 = socketAddress {
            // One socket for each family, so that both wildcards can be bound to the same port.
            bootstrap = bootstrap.serverChannelOption(ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only), value: 1)
        }
        let channel = try await bootstrap.bind(to: socketAddress).get()
        guard let local = channel.localAddress, let bound = Multiaddr(tcp: local) else {
            try? await channel.close()
            throw ConnectionError(.closed, "the listener on \(address) closed at once")
        }
        self.boundAddresses.insert(local)
        let boundAddresses = self.boundAddresses
        return TCPListener(address: bound, channel: channel) { boundAddresses.remove(local) }
    }
}

/// The addresses listened on, shared by the copies of a transport.
private final class BoundAddresses: Sendable {
    private let addresses = Mutex<[SocketAddress]>([])

    func insert(_ address: SocketAddress) {
        self.addresses.withLock { $0.append(address) }
    }

    func remove(_ address: SocketAddress) {
        self.addresses.withLock { addresses in
            if let index = addresses.firstIndex(of: address) { addresses.remove(at: index) }
        }
    }

    /// The address to dial `remote` from: a wildcard if one of the family is listened on, else one that is as near or as far as `remote`.
    func source(for remote: SocketAddress) -> SocketAddress? {
        let candidates = self.addresses.withLock { addresses in addresses.filter { $0.protocol == remote.protocol } }
        return candidates.first { $0.scope == .unspecified } ?? candidates.first { ($0.scope == .loopback) == (remote.scope == .loopback) }
    }
}

extension SocketAddress {
    fileprivate var scope: AddressScope? {
        switch Multiaddr(ip: self)?.components.last {
        case .ip4(let ip): ip.scope
        case .ip6(let ip): ip.scope
        default: nil
        }
    }
}

extension TCPConfiguration {
    fileprivate var writeBufferWaterMark: ChannelOptions.Types.WriteBufferWaterMark {
        let low = max(1, self.writeBufferLowWaterMark)
        return .init(low: low, high: max(low, self.writeBufferHighWaterMark))
    }
}

extension NIOBSDSocket.Option {
    fileprivate static let reusePort = Self(rawValue: SO_REUSEPORT)
}
