import DIGMultiformats
import DIGNet
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// Makes WebSockets to other peers of GUN.
final class GunDialer: Sendable {
    private let group: any EventLoopGroup
    private let configuration: GunWebSocketConfiguration
    private let policy: AddressPolicy
    private let messageByteCount: Int
    private let tls = Mutex<NIOSSLContext?>(nil)

    init(group: any EventLoopGroup, configuration: GunWebSocketConfiguration, policy: AddressPolicy, messageByteCount: Int) {
        self.group = group
        self.configuration = configuration
        self.policy = policy
        self.messageByteCount = messageByteCount
    }

    /// - Returns: The open socket; the delegate has been told of it.
    func dial(_ url: GunURL, source: DialOptions.AddressSource, delegate: any GunSocketDelegate) async throws -> GunSocket {
        let context = url.isSecure ? try self.context() : nil
        let eventLoop = self.group.next()
        let opened = eventLoop.makePromise(of: GunSocket.self)
        let pending = PendingChannel()
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(self.configuration.handshakeTimeout))
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { [configuration, messageByteCount] channel in
                channel.eventLoop.makeCompletedFuture {
                    try pending.made(channel)
                    if let context {
                        let isAddress = IPv4Address(url.host) != nil || IPv6Address(url.host) != nil
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : url.host))
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        GunHandshakeHandler(
                            url: url, path: url.path, configuration: configuration, messageByteCount: messageByteCount, delegate: delegate,
                            opened: opened))
                }
            }
        do {
            _ = try await pending.run {
                let channel: any Channel
                switch source {
                case .user: channel = try await bootstrap.connect(host: url.host, port: Int(url.port)).get()
                case .stranger: channel = try await bootstrap.connect(to: self.publicAddress(of: url)).get()
                }
                _ = try await opened.futureResult.get()
                return channel
            }
        } catch {
            opened.fail(error)
            throw error
        }
        return try await opened.futureResult.get()
    }

    /// What `url`'s host resolves to, if everybody can reach it.
    private func publicAddress(of url: GunURL) async throws -> SocketAddress {
        let address = try await NIOThreadPool.singleton.runIfActive {
            try SocketAddress.makeAddressResolvingHost(url.host, port: Int(url.port))
        }
        guard let ip = Multiaddr(ip: address), self.policy.isPublic(ip) else {
            throw GunError(.forbiddenAddress, "\(url) is not on the public internet")
        }
        return address
    }

    private func context() throws -> NIOSSLContext {
        try self.tls.withLock { context in
            if let context { return context }
            do {
                var tls = TLSConfiguration.makeClientConfiguration()
                tls.applicationProtocols = ["http/1.1"]
                tls.minimumTLSVersion = .tlsv12
                switch self.configuration.certificateVerification {
                case .systemRoots: break
                case .authorities(let file): tls.trustRoots = .file(file)
                case .none: tls.certificateVerification = .none
                }
                let made = try NIOSSLContext(configuration: tls)
                context = made
                return made
            } catch {
                throw GunError(.invalidConfiguration, "the trusted authorities can't be used", cause: error)
            }
        }
    }
}
