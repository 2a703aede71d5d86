import DIGNet
import NIOCore
import NIOEmbedded

@testable import DIGYamux

/// Two multiplexers back to back on one embedded loop.
final class EmbeddedPair {
    let loop = EmbeddedEventLoop()
    let dialer: EmbeddedChannel
    let listener: EmbeddedChannel
    let dialerHandler: YamuxHandler
    let listenerHandler: YamuxHandler
    /// Streams the listener accepted.
    let accepted: Accepted

    /// Only touched on the loop.
    final class Accepted: @unchecked Sendable {
        var channels: [any Channel] = []
    }

    init(
        dialer dialerConfiguration: YamuxConfiguration = .init(), listener listenerConfiguration: YamuxConfiguration = .init(),
        initializer: @escaping @Sendable (any Channel) throws -> Void = { _ in }
    ) throws {
        let accepted = Accepted()
        self.accepted = accepted
        self.dialer = EmbeddedChannel(loop: self.loop)
        self.listener = EmbeddedChannel(loop: self.loop)
        self.dialerHandler = YamuxHandler(role: .dialer, configuration: dialerConfiguration, eventLoop: self.loop) {
            $0.eventLoop.makeSucceededVoidFuture()
        }
        self.listenerHandler = YamuxHandler(role: .listener, configuration: listenerConfiguration, eventLoop: self.loop) { channel in
            accepted.channels.append(channel)
            return channel.eventLoop.makeCompletedFuture { try initializer(channel) }
        }
        try self.dialer.pipeline.syncOperations.addHandler(self.dialerHandler)
        try self.listener.pipeline.syncOperations.addHandler(self.listenerHandler)
        for channel in [self.dialer, self.listener] {
            channel.connect(to: try SocketAddress(ipAddress: "192.0.2.1", port: 4001), promise: nil)
        }
    }

    /// Carries bytes both ways until there are none.
    func exchange() throws {
        var moved = true
        while moved {
            moved = false
            for (from, to) in [(self.dialer, self.listener), (self.listener, self.dialer)] {
                while let bytes = try from.readOutbound(as: ByteBuffer.self) {
                    moved = true
                    to.pipeline.fireChannelRead(bytes)
                }
                to.pipeline.fireChannelReadComplete()
            }
            self.loop.run()
        }
    }

    func open(_ initializer: @escaping @Sendable (any Channel) throws -> Void = { _ in }) throws -> any Channel {
        let opened = self.dialerHandler.openStream { channel in
            channel.eventLoop.makeCompletedFuture { try initializer(channel) }
        }
        try self.exchange()
        return try opened.wait()
    }

    func finish() {
        self.dialer.close(promise: nil)
        self.listener.close(promise: nil)
        self.loop.run()
    }
}

/// Sends back what comes, and finishes when the peer has.
final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.write(data, promise: nil) }
    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { context.close(mode: .output, promise: nil) }
    }
}

/// Collects what comes; `onEnd` runs when the stream is inactive.
final class CollectHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    var received = ByteBuffer()
    var events: [String] = []

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        self.received.writeBuffer(&bytes)
    }
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event as? ChannelEvent {
        case .inputClosed: self.events.append("inputClosed")
        case .outputClosed: self.events.append("outputClosed")
        case nil: break
        }
    }
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.events.append("error \((error as? ConnectionError)?.code == .closed ? "closed" : "\(error)")")
    }
    func channelInactive(context: ChannelHandlerContext) { self.events.append("inactive") }
}
