public import DIGMultiformats
public import DIGNet
public import DIGTCP
public import NIOCore
import NIOSSL

/// WebSockets (RFC 6455) as channels of bytes: `/ws`, and inside TLS `/wss`, `/tls/ws`, `/tls/sni/NAME/ws`, each behind a host and `/tcp`.
///
/// For networks that let only the web out, and behind web servers that end TLS and pass on what is left (`/ws`). Such a proxy is who connects, so
/// every peer behind it seems to come from its address; what it says in `X-Forwarded-For` is not believed, because anybody can say so.
///
/// Channels are handed over before the handshake is done: it counts as a part of the connection's own, with its limits. They become active when
/// it is.
public struct WebSocketTransport: Transport {
    private let tcp: TCPTransport
    private let configuration: WebSocketConfiguration
    private let tls: WebSocketTLS

    /// - Parameters:
    ///   - group: Its loops carry the accepted channels.
    ///   - tcp: How the sockets below are made.
    /// - Throws: ``WebSocketError`` `.invalidConfiguration`.
    public init(group: any EventLoopGroup, configuration: WebSocketConfiguration = .init(), tcp: TCPConfiguration = .init()) throws {
        self.tcp = TCPTransport(group: group, configuration: tcp)
        self.configuration = configuration
        self.tls = try WebSocketTLS(configuration)
    }

    /// Reads the server's certificate and key again, for the connections from now on.
    ///
    /// - Throws: ``WebSocketError`` `.invalidConfiguration`; the ones in use stay.
    public func reloadCertificate() throws {
        try self.tls.reload()
    }

    public func canDial(_ address: Multiaddr) -> Bool {
        WebSocketAddress(address).map { self.tcp.canDial($0.endpoint) } ?? false
    }

    public func canListen(on address: Multiaddr) -> Bool {
        guard let target = WebSocketAddress(address), self.tcp.canListen(on: target.endpoint) else { return false }
        return !target.isSecure || self.tls.serverContext != nil
    }

    /// The name stays in the addresses inside TLS as `/sni`, so that the server still learns which one is meant. Without TLS there is no room for
    /// it: the address itself is returned too, and first.
    public func resolve(_ address: Multiaddr) async throws -> [Multiaddr] {
        guard let target = WebSocketAddress(address), target.hasHostName, let name = target.name else { return [address] }
        let peer = address.components.suffix(1).filter { if case .p2p = $0 { true } else { false } }
        let suffix: [Multiaddr.Component] = target.isSecure ? [.tls, .sni(name), .ws] : [.ws]
        let resolved = try await self.tcp.resolve(target.endpoint).map { Multiaddr(components: $0.components + suffix + peer) }
        return target.isSecure ? resolved : [address] + resolved
    }

    public func dial(
        _ address: Multiaddr, for purpose: DialPurpose, on eventLoop: any EventLoop,
        initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        guard let target = WebSocketAddress(address) else {
            throw ConnectionError(.protocolViolation, "\(address) is no WebSocket address")
        }
        let context = target.isSecure ? try self.tls.clientContext() : nil
        return try await self.tcp.dial(target.endpoint, for: purpose, on: eventLoop) { channel in
            channel.eventLoop.makeCompletedFuture {
                if let context {
                    // Verification without a name is against the IP address (RFC 9110 §4.3.5).
                    try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: context, serverHostname: target.name))
                }
                try self.addHandlers(to: channel, as: .client(host: target.host, path: "/"))
            }.flatMap { initializer(channel) }
        }
    }

    public func listen(
        on address: Multiaddr,
        initializer: @escaping @Sendable (any Channel, Multiaddr) -> EventLoopFuture<Void>
    ) async throws -> any Listener {
        guard let target = WebSocketAddress(address), self.tcp.canListen(on: target.endpoint) else {
            throw ConnectionError(.protocolViolation, "\(address) is no WebSocket address to listen on")
        }
        guard !target.isSecure || self.tls.serverContext != nil else {
            throw WebSocketError(.invalidConfiguration, "listening on \(address) needs a certificate")
        }
        let suffix: [Multiaddr.Component] = target.isSecure ? [.tls, .ws] : [.ws]
        let listener = try await self.tcp.listen(on: target.endpoint) { channel, remote in
            channel.eventLoop.makeCompletedFuture {
                if target.isSecure, let context = self.tls.serverContext {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                }
                try self.addHandlers(to: channel, as: .server(path: nil))
            }.flatMap { initializer(channel, Multiaddr(components: remote.components + suffix)) }
        }
        return WebSocketListener(base: listener, suffix: target.suffix)
    }

    func addHandlers(to channel: any Channel, as role: WebSocketRole) throws {
        let stream = WebSocketStreamHandler(isClient: role.isClient, configuration: self.configuration)
        try stream.add(
            to: channel, as: role, maximumHeaderByteCount: self.configuration.maximumHeaderByteCount,
            maximumFrameByteCount: self.configuration.maximumFrameByteCount)
    }
}
