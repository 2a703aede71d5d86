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
        return try await HostResolver.resolve(name, family: family).map {
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
                return try await self.dial(SocketAddress(ip: ip, port: endpoint.port), on: eventLoop, initializer: initializer)
            } catch let error as CancellationError {
                throw error
            } catch {
                lastError = error
            }
        }
        throw lastError
    }

    private func dial(
        _ address: SocketAddress, on eventLoop: any EventLoop,
        initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        if self.configuration.dialsFromListeningPort, let local = self.boundAddresses.source(for: address) {
            do {
                return try await self.dial(address, from: local, on: eventLoop, initializer: initializer)
            } catch let error as IOError where error.errnoCode == EADDRINUSE || error.errnoCode == EADDRNOTAVAIL {
                // The four-tuple is in use or in TIME_WAIT: a port of the system's choice will do.
            }
        }
        return try await self.dial(address, from: nil, on: eventLoop, initializer: initializer)
    }

    private func dial(
        _ address: SocketAddress, from local: SocketAddress?, on eventLoop: any EventLoop,
        initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        let pending = PendingChannel()
        var bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(self.configuration.connectTimeout))
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
                let connected = bootstrap.connect(to: address)
                guard local != nil else { return try await connected.get() }
                return try await connected.flatMap { channel in
                    initializer(channel).flatMap { channel.setOption(.autoRead, value: true) }.map { channel }
                        .flatMapErrorThrowing { error in
                            channel.close(promise: nil)
                            throw error
                        }
                }.get()
            }
        } catch ChannelError.connectTimeout {
            throw ConnectionError(.timedOut, "no answer in \(self.configuration.connectTimeout)")
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
            .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: self.configuration.receiveBufferByteCount))
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

    /// The address to dial `remote` from.
    func source(for remote: SocketAddress) -> SocketAddress? {
        self.addresses.withLock { addresses in
            addresses.first { $0.protocol == remote.protocol }
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
