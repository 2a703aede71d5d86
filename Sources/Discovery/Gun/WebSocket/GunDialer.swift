import DIGMultiformats
import DIGNet
import DIGTCP
import DIGWebSocket
import NIOCore
import NIOPosix
import NIOSSL

/// Makes WebSockets to other peers of GUN.
final class GunDialer: Sendable {
    private let group: any EventLoopGroup
    private let configuration: GunWebSocketConfiguration
    private let policy: AddressPolicy
    private let messageByteCount: Int
    private let tls: WebSocketTLS

    init(group: any EventLoopGroup, configuration: GunWebSocketConfiguration, policy: AddressPolicy, messageByteCount: Int) {
        self.group = group
        self.configuration = configuration
        self.policy = policy
        self.messageByteCount = messageByteCount
        self.tls = WebSocketTLS(verification: configuration.certificateVerification)
    }

    /// - Returns: The open socket; the delegate has been told of it.
    func dial(_ url: GunURL, source: DialOptions.AddressSource, delegate: any GunSocketDelegate) async throws -> GunSocket {
        let context: NIOSSLContext?
        do { context = url.isSecure ? try self.tls.clientContext() : nil } catch {
            throw GunError(.invalidConfiguration, "\(url) can't be dialed", cause: error)
        }
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
                    try GunSocketHandler.add(
                        to: channel, dialing: url, configuration: configuration, messageByteCount: messageByteCount, delegate: delegate, opened: opened)
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
        let addresses = try await HostResolver.resolve(url.host, family: .any)
        guard var address = addresses.first(where: { Multiaddr(ip: $0).map { self.policy.isPublic($0) } ?? false }) else {
            throw GunError(.forbiddenAddress, "\(url) is not on the public internet")
        }
        address.port = Int(url.port)
        return address
    }
}
