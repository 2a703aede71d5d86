import NIOCore
import NIOPosix

/// A long cable to a port of this machine: what goes in at one end comes out at the other later, in its order.
struct DelayingProxy {
    let port: Int
    private let channel: any Channel

    /// - Parameter delay: One way.
    static func start(to port: Int, delay: TimeAmount, group: any EventLoopGroup) async throws -> Self {
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { accepted in
                accepted.eventLoop.makeCompletedFuture { try accepted.pipeline.syncOperations.addHandler(Opening(port: port, delay: delay)) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return Self(port: channel.localAddress?.port ?? 0, channel: channel)
    }

    func stop() async throws { try await self.channel.close() }
}

/// Connects the other half, on the same loop, before anything is read.
private final class Opening: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let port: Int
    private let delay: TimeAmount

    init(port: Int, delay: TimeAmount) {
        self.port = port
        self.delay = delay
    }

    func channelActive(context: ChannelHandlerContext) {
        let (accepted, delay) = (context.channel, self.delay)
        ClientBootstrap(group: context.eventLoop).channelOption(.autoRead, value: false).connect(host: "127.0.0.1", port: self.port)
            .flatMapThrowing { dialed in
                try accepted.pipeline.syncOperations.addHandler(DelayedForwarding(to: dialed, delay: delay))
                try dialed.pipeline.syncOperations.addHandler(DelayedForwarding(to: accepted, delay: delay))
                for channel in [accepted, dialed] { channel.setOption(.autoRead, value: true).whenFailure { _ in channel.close(promise: nil) } }
            }
            .whenFailure { _ in accepted.close(promise: nil) }
    }
}

private final class DelayedForwarding: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let other: any Channel
    private let delay: TimeAmount
    private var events: [() -> Void] = []

    init(to other: any Channel, delay: TimeAmount) {
        self.other = other
        self.delay = delay
    }

    private func later(_ context: ChannelHandlerContext, _ event: @escaping () -> Void) {
        self.events.append(event)
        context.eventLoop.assumeIsolated().scheduleTask(in: self.delay) {
            // Whichever timer it is: the first event is due.
            if !self.events.isEmpty { self.events.removeFirst()() }
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        self.later(context) { [other] in other.writeAndFlush(bytes, promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.later(context) { [other] in other.close(promise: nil) }
    }
}
