import DIGWebSocket
import NIOCore
import NIOWebSocket

/// Text messages in both directions, out of and into frames.
final class GunSocketHandler: ChannelDuplexHandler, WebSocketFrameHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = Never
    typealias OutboundIn = GunOutbound
    typealias OutboundOut = WebSocketFrame

    private enum State {
        case opening, open, closed
    }

    private let socket: GunSocket
    private let isClient: Bool
    private let configuration: GunWebSocketConfiguration
    private let messageByteCount: Int
    private weak var delegate: (any GunSocketDelegate)?
    private var context: ChannelHandlerContext?
    private var generator = SystemRandomNumberGenerator()
    /// The frames of a message that is not complete; nil between messages.
    private var message: [UInt8]?
    /// Of a message that is too long, or none of text, nothing is kept.
    private var isSkipping = false
    private var pendingByteCount = 0
    private var receivedAt = NIODeadline.now()
    private var timer: RepeatedTask?
    private var handshakeTimer: Scheduled<Void>?
    private var state = State.opening
    private var isClosed: Bool { self.state == .closed }
    /// Fulfilled when the WebSocket is open.
    private let promise: EventLoopPromise<GunSocket>

    /// - Parameter opened: Fulfilled when the WebSocket is open.
    private init(
        socket: GunSocket, configuration: GunWebSocketConfiguration, messageByteCount: Int, delegate: any GunSocketDelegate,
        opened: EventLoopPromise<GunSocket>
    ) {
        self.socket = socket
        self.isClient = socket.url != nil
        self.configuration = configuration
        self.messageByteCount = messageByteCount
        self.delegate = delegate
        self.promise = opened
    }

    /// Makes a WebSocket of `channel`.
    ///
    /// - Parameters:
    ///   - url: What is dialed; nil on the side that accepts.
    ///   - opened: Fulfilled when it is open.
    static func add(
        to channel: any Channel, dialing url: GunURL?, configuration: GunWebSocketConfiguration, messageByteCount: Int,
        delegate: any GunSocketDelegate, opened: EventLoopPromise<GunSocket>
    ) throws {
        let handler = GunSocketHandler(
            socket: GunSocket(channel: channel, url: url), configuration: configuration, messageByteCount: messageByteCount, delegate: delegate,
            opened: opened)
        try handler.add(
            to: channel, as: url.map { .client(host: $0.authority, path: $0.path) } ?? .server(path: GunListener.path),
            maximumHeaderByteCount: configuration.headByteCount, maximumFrameByteCount: configuration.frameByteCount)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let timeout = self.configuration.handshakeTimeout
        // From here on, so that TLS has no longer than that either.
        self.handshakeTimer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(timeout)) {
            self.failed(GunError(.timedOut, "no WebSocket within \(timeout)"), on: context.channel)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.end(GunError(.refused, "the connection is gone"))
        self.context = nil
    }

    func opened() {
        guard case .opening = self.state, let context = self.context else { return }
        self.state = .open
        self.handshakeTimer?.cancel()
        let interval = TimeAmount(self.configuration.pingInterval)
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        self.timer = context.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in bound.value.timerFired() }
        self.delegate?.opened(self.socket)
        self.promise.succeed(self.socket)
    }

    func failed(_ error: any Error, on channel: any Channel) {
        let gunError = error as? GunError ?? GunError(.refused, "no WebSocket there", cause: error)
        self.end(gunError)
        channel.close(promise: nil)
    }

    private func timerFired() {
        guard let context = self.context, !self.isClosed else { return }
        guard NIODeadline.now() - self.receivedAt < TimeAmount(self.configuration.idleTimeout) else { return context.close(promise: nil) }
        if self.isClient { self.sendFrame(.ping, ByteBuffer(), context) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.end(GunError(.refused, "the other end closed during the handshake"))
        context.fireChannelInactive()
    }

    private func end(_ error: GunError) {
        let previous = self.state
        self.state = .closed
        self.timer?.cancel()
        self.handshakeTimer?.cancel()
        switch previous {
        case .opening: self.promise.fail(error)
        case .open: self.delegate?.closed(self.socket)
        case .closed: break
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .open = self.state else { return }
        let frame = self.unwrapInboundIn(data)
        self.receivedAt = .now()
        // RFC 6455 §5.1 and §5.2: clients mask and servers do not; there are no extensions.
        guard (frame.maskKey != nil) != self.isClient, frame.reservedBits.isEmpty else { return self.violated(.protocolError, context) }
        switch frame.opcode {
        case .text, .binary:
            guard self.message == nil else { return self.violated(.protocolError, context) }
            self.message = []
            // gun.js sends text only, and does not see what comes otherwise.
            self.isSkipping = frame.opcode == .binary
            self.take(frame, context)
        case .continuation:
            guard self.message != nil else { return self.violated(.protocolError, context) }
            self.take(frame, context)
        case .ping:
            if context.channel.isWritable { self.sendFrame(.pong, frame.unmaskedData, context) }
        case .pong: break
        case .connectionClose:
            let code = frame.unmaskedData.getSlice(at: frame.unmaskedData.readerIndex, length: min(2, frame.unmaskedData.readableBytes))
            self.sendFrame(.connectionClose, code ?? ByteBuffer(), context)
            context.close(promise: nil)
        default: self.violated(.protocolError, context)
        }
    }

    private func take(_ frame: WebSocketFrame, _ context: ChannelHandlerContext) {
        let wasSkipping = self.isSkipping
        if !self.isSkipping {
            let data = frame.unmaskedData
            if (self.message?.count ?? 0) + data.readableBytes > self.messageByteCount {
                self.isSkipping = true
                self.message = []
            } else {
                self.message?.append(contentsOf: data.readableBytesView)
            }
        }
        if self.isSkipping, !wasSkipping { self.delegate?.receivedOversize(on: self.socket) }
        guard frame.fin, let message = self.message else { return }
        self.message = nil
        if !self.isSkipping { self.delegate?.received(message, on: self.socket) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard case .open = self.state else { return self.failed(error, on: context.channel) }
        if case NIOWebSocketError.invalidFrameLength = error {
            self.delegate?.receivedOversize(on: self.socket)
            return self.violated(.messageTooLarge, context)
        }
        if error is NIOWebSocketError { return self.violated(.protocolError, context) }
        context.close(promise: nil)
    }

    private func violated(_ code: WebSocketErrorCode, _ context: ChannelHandlerContext) {
        var data = ByteBuffer()
        data.write(webSocketErrorCode: code)
        self.sendFrame(.connectionClose, data, context)
        context.close(promise: nil)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let outbound = self.unwrapOutboundIn(data)
        guard case .open = self.state else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        for text in outbound.texts {
            let count = text.count
            guard self.pendingByteCount + count <= self.configuration.pendingByteCount else {
                // It does not read. What it misses it can ask for again.
                promise?.fail(ChannelError.ioOnClosedChannel)
                return context.close(promise: nil)
            }
            self.pendingByteCount += count
            let written = context.eventLoop.makePromise(of: Void.self)
            written.futureResult.whenComplete { _ in bound.value.pendingByteCount -= count }
            let frame = WebSocketFrame(fin: true, opcode: .text, maskKey: self.maskKey, data: ByteBuffer(bytes: text))
            context.write(self.wrapOutboundOut(frame), promise: written)
        }
        promise?.succeed()
    }

    private var maskKey: WebSocketMaskingKey? { self.isClient ? .random(using: &self.generator) : nil }

    private func sendFrame(_ opcode: WebSocketOpcode, _ data: ByteBuffer, _ context: ChannelHandlerContext) {
        context.writeAndFlush(self.wrapOutboundOut(WebSocketFrame(fin: true, opcode: opcode, maskKey: self.maskKey, data: data)), promise: nil)
    }
}
