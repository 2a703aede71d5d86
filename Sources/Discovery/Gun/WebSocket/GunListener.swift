import DIGMultiformats
import DIGNet
public import DIGWebSocket
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// Where a peer of GUN can be connected to.
public struct GunListenAddress: Hashable, Sendable {
    /// An IP address.
    public var host: String
    /// 0: one of the system's choice.
    public var port: UInt16
    /// PEM files for `wss`; nil for `ws`.
    public var certificate: WebSocketConfiguration.ServerCertificate?

    /// 8765 is what the GUN documentation's relay listens on.
    public init(host: String = "0.0.0.0", port: UInt16 = 8765, certificate: WebSocketConfiguration.ServerCertificate? = nil) {
        self.host = host
        self.port = port
        self.certificate = certificate
    }
}

/// Accepts WebSockets at `/gun`, so many and no more.
final class GunListener: Sendable {
    static let path = "/gun"

    private let channel: any Channel
    let url: GunURL

    /// Connections by where they come from.
    private final class Counter: Sendable {
        private let counts = Mutex<(total: Int, origins: [String: Int])>((0, [:]))
        private let maximum: Int
        private let maximumForOrigin: Int

        init(maximum: Int, maximumForOrigin: Int) {
            self.maximum = maximum
            self.maximumForOrigin = maximumForOrigin
        }

        func admit(_ origin: String) -> Bool {
            self.counts.withLock { counts in
                guard counts.total < self.maximum, counts.origins[origin, default: 0] < self.maximumForOrigin else { return false }
                counts.total += 1
                counts.origins[origin, default: 0] += 1
                return true
            }
        }

        func leave(_ origin: String) {
            self.counts.withLock { counts in
                counts.total -= 1
                let count = counts.origins[origin, default: 1] - 1
                counts.origins[origin] = count > 0 ? count : nil
            }
        }
    }

    private init(channel: any Channel, url: GunURL) {
        self.channel = channel
        self.url = url
    }

    /// Of an IPv6 address what one household has: the first 64 bits.
    private static func origin(_ address: SocketAddress?) -> String {
        guard let address, let ip = Multiaddr(ip: address) else { return "" }
        for component in ip.components {
            switch component {
            case .ip4(let ip): return "\(ip)"
            case .ip6(let ip): return ip.mappedIPv4.map { "\($0)" } ?? "\(ip.high)"
            default: continue
            }
        }
        return ""
    }

    static func listen(
        on address: GunListenAddress, configuration: GunPeerConfiguration, group: any EventLoopGroup, delegate: any GunSocketDelegate
    ) async throws -> GunListener {
        let context: NIOSSLContext?
        do { context = try address.certificate.map(WebSocketTLS.makeServer) } catch {
            throw GunError(.invalidConfiguration, "\(address.host):\(address.port) can't be listened on", cause: error)
        }
        let counter = Counter(maximum: configuration.connectionCount, maximumForOrigin: configuration.connectionCountForOrigin)
        let sockets = configuration.webSocket
        let messageByteCount = configuration.mesh.limits.messageByteCount
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 128)
            .childChannelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                let origin = Self.origin(channel.remoteAddress)
                guard counter.admit(origin) else { return channel.close() }
                channel.closeFuture.whenComplete { _ in counter.leave(origin) }
                return channel.eventLoop.makeCompletedFuture {
                    if let context { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context)) }
                    try GunSocketHandler.add(
                        to: channel, dialing: nil, configuration: sockets, messageByteCount: messageByteCount, delegate: delegate,
                        opened: channel.eventLoop.makePromise(of: GunSocket.self))
                }
            }
            .bind(host: address.host, port: Int(address.port)).get()
        let port = channel.localAddress?.port.flatMap { UInt16(exactly: $0) } ?? address.port
        return GunListener(channel: channel, url: GunURL(isSecure: context != nil, host: address.host, port: port))
    }

    func close() async {
        do { try await self.channel.close() } catch {}
    }
}
