import NIOCore
import NIOSSL
import NIOWebSocket

/// Does the opening handshake, then puts the frames in its place.
final class GunHandshakeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        case idle
        /// `key` is that of our request.
        case awaitingHead(key: String?)
        case done
    }

    private let url: GunURL?
    private let path: String
    private let configuration: GunWebSocketConfiguration
    private let messageByteCount: Int
    private weak var delegate: (any GunSocketDelegate)?
    /// Fulfilled when the WebSocket is open.
    private let opened: EventLoopPromise<GunSocket>
    private var state = State.idle
    private var bytes = ByteBuffer()
    private var timer: Scheduled<Void>?

    /// - Parameters:
    ///   - url: What is dialed; nil on the side that accepts.
    ///   - path: What is accepted.
    init(
        url: GunURL?, path: String, configuration: GunWebSocketConfiguration, messageByteCount: Int, delegate: any GunSocketDelegate,
        opened: EventLoopPromise<GunSocket>
    ) {
        self.url = url
        self.path = path
        self.configuration = configuration
        self.messageByteCount = messageByteCount
        self.delegate = delegate
        self.opened = opened
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { self.start(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        self.start(context)
        context.fireChannelActive()
    }

    private func start(_ context: ChannelHandlerContext) {
        guard case .idle = self.state else { return }
        let key = self.url == nil ? nil : GunHandshake.makeKey()
        self.state = .awaitingHead(key: key)
        let timeout = self.configuration.handshakeTimeout
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(timeout)) {
            self.fail(GunError(.timedOut, "no WebSocket within \(timeout)"), context)
        }
        if let url = self.url, let key {
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: GunHandshake.request(url, key: key))), promise: nil)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .awaitingHead(let key) = self.state else {
            if case .done = self.state { context.fireChannelRead(data) }
            return
        }
        var data = self.unwrapInboundIn(data)
        // A head ends in an empty line; what comes before it in this buffer or the last may be part of it.
        self.bytes.writeBuffer(&data)
        guard let end = self.bytes.readableBytesView.firstRange(of: Array("\r\n\r\n".utf8)) else {
            if self.bytes.readableBytes > self.configuration.headByteCount { self.fail(GunError(.refused, "an HTTP head that is too long"), context) }
            return
        }
        guard end.upperBound - self.bytes.readerIndex <= self.configuration.headByteCount else {
            return self.fail(GunError(.refused, "an HTTP head that is too long"), context)
        }
        let head = GunHTTPHead(self.bytes.readableBytesView[..<end.lowerBound])
        self.bytes.moveReaderIndex(to: end.upperBound)
        if let key {
            guard let head, GunHandshake.isAccepted(head, key: key) else {
                let status = head.map { $0.start.dropFirst().prefix(2).joined(separator: " ").prefix(100) } ?? "no HTTP"
                return self.fail(GunError(.refused, "no WebSocket there, but \(status)"), context)
            }
        } else {
            switch GunHandshake.answer(head, path: self.path) {
            case .accepted(let text):
                context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
            case .refused(let text):
                context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
                return self.fail(GunError(.refused, "a request for something else"), context)
            }
        }
        self.finish(context)
    }

    private func finish(_ context: ChannelHandlerContext) {
        self.state = .done
        self.timer?.cancel()
        guard let delegate = self.delegate else { return context.close(promise: nil) }
        let socket = GunSocket(channel: context.channel, url: self.url)
        let handler = GunSocketHandler(
            socket: socket, isClient: self.url != nil, configuration: self.configuration, messageByteCount: self.messageByteCount, delegate: delegate)
        do {
            try context.pipeline.syncOperations.addHandlers(
                [WebSocketFrameEncoder(), ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: self.configuration.frameByteCount)), handler],
                position: .after(self))
        } catch {
            return self.fail(error, context)
        }
        handler.start()
        self.opened.succeed(socket)
        if self.bytes.readableBytes > 0 { context.fireChannelRead(self.wrapInboundOut(self.bytes)) }
        self.bytes = ByteBuffer()
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { self.fail(error, context) }

    func channelInactive(context: ChannelHandlerContext) {
        self.fail(GunError(.refused, "the other end closed during the handshake"), context)
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.timer?.cancel()
        self.opened.fail(GunError(.refused, "the connection is gone"))
    }

    private func fail(_ error: any Error, _ context: ChannelHandlerContext) {
        if case .done = self.state { return }
        self.state = .done
        self.timer?.cancel()
        self.bytes = ByteBuffer()
        self.opened.fail(error)
        context.close(promise: nil)
    }
}
