import DIGMultiformats
import NIOCore
import NIOPosix

/// Passes TCP connections on to a holder and counts: how many there are, and what the holder sends.
///
/// It can be made shut, so that nothing passes before the test says so.
final class ForwardingProxy: Sendable {
    struct Counts: Sendable {
        var accepted = 0
        var bytesToClient = 0
        var isOpen = true
    }

    let counts: Watched<Counts>
    private let target: UInt16
    private let server: any Channel

    private init(target: UInt16, counts: Watched<Counts>, server: any Channel) {
        self.target = target
        self.counts = counts
        self.server = server
    }

    static func start(to target: UInt16, isOpen: Bool = true) async throws -> ForwardingProxy {
        let group = MultiThreadedEventLoopGroup.singleton
        let counts = Watched(Counts(isOpen: isOpen))
        let server = try await ServerBootstrap(group: group)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { client in
                counts.update { $0.accepted += 1 }
                let promise = client.eventLoop.makePromise(of: Void.self)
                promise.completeWithTask {
                    try await counts.wait(for: "the proxy to be opened") { $0.isOpen ? () : nil }
                    let holder = try await ClientBootstrap(group: group)
                        .channelOption(.autoRead, value: false)
                        .connect(host: "127.0.0.1", port: Int(target)).get()
                    try await client.pipeline.addHandler(Relay(to: holder, counted: nil)).get()
                    try await holder.pipeline.addHandler(Relay(to: client, counted: counts)).get()
                    try await client.setOption(.autoRead, value: true).get()
                    try await holder.setOption(.autoRead, value: true).get()
                }
                promise.futureResult.whenFailure { _ in client.close(promise: nil) }
                return client.eventLoop.makeSucceededVoidFuture()
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return ForwardingProxy(target: target, counts: counts, server: server)
    }

    func open() { self.counts.update { $0.isOpen = true } }

    func stop() { self.server.close(promise: nil) }

    /// `address` as it is reached through the proxy.
    func address(of address: Multiaddr) -> Multiaddr {
        let port = UInt16(clamping: self.server.localAddress?.port ?? 0)
        return Multiaddr(components: address.components.map { component in
            if case .tcp = component { return .tcp(port) }
            return component
        })
    }

    private final class Relay: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer

        private let other: any Channel
        private let counted: Watched<Counts>?

        init(to other: any Channel, counted: Watched<Counts>?) {
            self.other = other
            self.counted = counted
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = self.unwrapInboundIn(data)
            self.counted?.update { $0.bytesToClient += bytes.readableBytes }
            self.other.writeAndFlush(bytes, promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            self.other.close(promise: nil)
            context.fireChannelInactive()
        }
    }
}
