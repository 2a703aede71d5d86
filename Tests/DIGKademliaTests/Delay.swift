import DIGMultiformats
import DIGNet
import DIGNetTesting
import NIOCore

/// A transport whose channels are as far from the other end as a long cable: what is sent arrives later, in its order.
struct DelayedTransport: Transport {
    let base: MemoryTransport
    /// One way.
    let delay: TimeAmount

    func canDial(_ address: Multiaddr) -> Bool { self.base.canDial(address) }
    func canListen(on address: Multiaddr) -> Bool { self.base.canListen(on: address) }

    func dial(
        _ address: Multiaddr, for purpose: DialPurpose, on eventLoop: any EventLoop,
        initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        let delay = self.delay
        // The three-way handshake of TCP.
        try await eventLoop.scheduleTask(in: .nanoseconds(2 * delay.nanoseconds)) {}.futureResult.get()
        return try await self.base.dial(address, for: purpose, on: eventLoop) { channel in
            channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(DelayHandler(delay: delay)) }
                .flatMap { initializer(channel) }
        }
    }

    func listen(
        on address: Multiaddr, initializer: @escaping @Sendable (any Channel, Multiaddr) -> EventLoopFuture<Void>
    ) async throws -> any Listener {
        try await self.base.listen(on: address, initializer: initializer)
    }
}

/// Lets everything through later, in both directions.
private final class DelayHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let delay: TimeAmount
    private var events: [() -> Void] = []

    init(delay: TimeAmount) { self.delay = delay }

    private func later(_ context: ChannelHandlerContext, _ event: @escaping () -> Void) {
        self.events.append(event)
        context.eventLoop.assumeIsolated().scheduleTask(in: self.delay) {
            // Whichever timer it is: the first event is due.
            if !self.events.isEmpty { self.events.removeFirst()() }
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let data = self.unwrapInboundIn(data)
        self.later(context) { context.fireChannelRead(self.wrapInboundOut(data)) }
    }

    func channelReadComplete(context: ChannelHandlerContext) { self.later(context) { context.fireChannelReadComplete() } }
    func channelInactive(context: ChannelHandlerContext) { self.later(context) { context.fireChannelInactive() } }
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        self.later(context) { context.fireUserInboundEventTriggered(event) }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let data = self.unwrapOutboundIn(data)
        self.later(context) { context.write(self.wrapOutboundOut(data), promise: promise) }
    }

    func flush(context: ChannelHandlerContext) { self.later(context) { context.flush() } }
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        self.later(context) { context.close(mode: mode, promise: promise) }
    }
}
