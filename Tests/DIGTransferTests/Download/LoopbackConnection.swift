import DIGIdentity
import DIGMultiformats
import DIGNet
import Logging
import NIOCore
import NIOPosix
import Synchronization

@testable import DIGTransfer

/// A peer on this machine: every stream is a TCP connection on loopback, served by whatever the test says.
final class LoopbackConnection: Connection {
    private static let counter = Atomic<UInt64>(0)

    let id: ConnectionID
    let role = ConnectionRole.dialer
    let localPeer: PeerID
    let remotePeer: PeerID
    let remotePublicKey: PublicKey
    let remoteAddress = Multiaddr(components: [])
    let localAddress: Multiaddr? = nil
    let eventLoop: any EventLoop
    let channelBinding: [UInt8] = []
    let server: any Channel
    private let streams = Mutex<[any Channel]>([])
    private let closed: EventLoopPromise<Void>

    /// - Parameter serve: Adds the handlers of the peer's end of a stream.
    init(eventLoop: (any EventLoop)? = nil, serve: @escaping @Sendable (any Channel, PeerID) -> EventLoopFuture<Void>) async throws {
        let key = try KeyPair.generate(.ed25519)
        let local = try KeyPair.generate(.ed25519).peerID
        self.localPeer = local
        self.remotePeer = key.peerID
        self.remotePublicKey = key.publicKey
        self.eventLoop = eventLoop ?? MultiThreadedEventLoopGroup.singleton.next()
        self.id = ConnectionID(rawValue: Self.counter.add(1, ordering: .relaxed).newValue)
        self.closed = self.eventLoop.makePromise()
        let accepted = Accepted()
        self.server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                accepted.channels.withLock { $0.append(channel) }
                return serve(channel, local)
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.acceptedChannels = accepted
    }

    final class Accepted: Sendable {
        let channels = Mutex<[any Channel]>([])
    }
    let acceptedChannels: Accepted

    var closeFuture: EventLoopFuture<Void> { self.closed.futureResult }

    func openStream(
        speaking protocols: [ProtocolID], initializer: @escaping @Sendable (any Channel, ProtocolID) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        guard let address = self.server.localAddress, let name = protocols.first else { throw ConnectionError(.closed, "no server") }
        let channel = try await ClientBootstrap(group: self.eventLoop).channelInitializer { initializer($0, name) }.connect(to: address).get()
        self.streams.withLock { $0.append(channel) }
        return channel
    }

    var streamCount: Int { self.streams.withLock { $0.count } }

    /// The connection breaks: every stream, at once.
    func cut() async {
        try? await self.server.close()
        for channel in self.acceptedChannels.channels.withLock({ $0 }) { try? await channel.close() }
    }

    func close() async {
        await self.cut()
        for channel in self.streams.withLock({ $0 }) { try? await channel.close() }
        self.closed.succeed()
    }

    deinit { self.closed.succeed() }

    /// A real host.
    static func toHost(
        _ provider: any ContentProvider, bytesPerSecond: Int? = nil, eventLoop: (any EventLoop)? = nil
    ) async throws -> LoopbackConnection {
        var configuration = TransferHostConfiguration()
        configuration.sessionBytesPerSecond = bytesPerSecond
        let host = TransferHost(provider: provider, configuration: configuration, threadPool: .singleton, logger: Logger(label: "host"))
        return try await LoopbackConnection(eventLoop: eventLoop) { channel, peer in host.serve(channel, peer: peer) }
    }
}
