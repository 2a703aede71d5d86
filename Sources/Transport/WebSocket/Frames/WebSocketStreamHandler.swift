import DIGNet
import NIOCore
import NIOSSL
import NIOWebSocket

/// Makes a stream of bytes of WebSocket frames. Handlers behind it see a channel that becomes active when the opening handshake is done.
///
/// Writes until then are kept: those who negotiate protocols write a few hundred bytes at once.
final class WebSocketStreamHandler: ChannelDuplexHandler, WebSocketFrameHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = WebSocketFrame

    private enum State {
        case opening
        case open
        /// Our close frame is sent.
        case closing
        case closed
    }

    /// Ours: bytes written before the handshake is done. More fail.
    private static let maximumHeldByteCount = 256 * 1024

    private let isClient: Bool
    private let configuration: WebSocketConfiguration
    private var rules: WebSocketMessageRules
    private var generator = SystemRandomNumberGenerator()
    private var state = State.opening
    private var context: ChannelHandlerContext?
    private var held: [(ByteBuffer, EventLoopPromise<Void>?)] = []
    private var heldByteCount = 0
    private var holdsFlush = false
    private var holdsActive = false
    private var closePromise: EventLoopPromise<Void>?
    private var timer: Scheduled<Void>?
    private var pings: Scheduled<Void>?
    /// The data of a ping that is not answered yet, because the other end does not read: the last one is enough (RFC 6455 §5.5.3).
    private var unanswered: ByteBuffer?

    init(isClient: Bool, configuration: WebSocketConfiguration) {
        self.isClient = isClient
        self.configuration = configuration
        self.rules = WebSocketMessageRules(expectsMask: !isClient)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { self.startTimer(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.end(ChannelError.ioOnClosedChannel)
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        self.startTimer(context)
        switch self.state {
        case .opening: self.holdsActive = true
        case .open, .closing, .closed: context.fireChannelActive()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .opening = self.state {
            context.fireErrorCaught(WebSocketError(.refused, "the other end closed during the handshake"))
        }
        self.end(ChannelError.ioOnClosedChannel)
        context.fireChannelInactive()
    }

    private func startTimer(_ context: ChannelHandlerContext) {
        guard self.timer == nil, case .opening = self.state else { return }
        let timeout = self.configuration.handshakeTimeout
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(timeout)) {
            self.failed(WebSocketError(.timedOut, "no WebSocket within \(timeout)"), on: context.channel)
        }
    }

    // MARK: From the handshake

    func opened() {
        guard case .opening = self.state, let context = self.context else { return }
        self.state = .open
        self.timer?.cancel()
        self.timer = nil
        if self.holdsActive {
            self.holdsActive = false
            context.fireChannelActive()
        }
        let held = self.held
        self.held = []
        self.heldByteCount = 0
        for (bytes, promise) in held { self.send(bytes, context, promise) }
        if self.holdsFlush { context.flush() }
        self.schedulePing(context)
    }

    private func schedulePing(_ context: ChannelHandlerContext) {
        guard let interval = self.configuration.pingInterval else { return }
        self.pings = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(interval)) {
            // One that does not read needs no more to read.
            if context.channel.isWritable { self.sendControl(.ping, ByteBuffer(), context) }
            self.schedulePing(context)
        }
    }

    /// The connection is of no use. Those behind are told why before it closes.
    func failed(_ error: any Error, on channel: any Channel) {
        if case .closed = self.state { return }
        self.end(error)
        self.context?.fireErrorCaught(error)
        channel.close(promise: nil)
    }

    // MARK: Inbound

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = self.unwrapInboundIn(data)
        switch self.state {
        case .open, .closing: break
        case .opening, .closed: return
        }
        switch self.rules.received(frame) {
        case .data:
            // After our close frame nobody is interested any more.
            guard case .open = self.state, frame.data.readableBytes > 0 else { return }
            context.fireChannelRead(self.wrapInboundOut(frame.unmaskedData))
        case .ping:
            guard case .open = self.state else { return }
            self.unanswered = frame.unmaskedData
            self.answerPing(context)
        case .pong:
            break
        case .close:
            if case .open = self.state {
                // The code comes back; there is none if there was none (§5.5.1).
                self.sendControl(.connectionClose, frame.unmaskedData.getSlice(at: frame.unmaskedData.readerIndex, length: min(2, frame.length)) ?? ByteBuffer(), context)
            }
            self.finishClosing(context)
        case .violation(let code, let reason):
            self.violated(code, WebSocketError(.protocolViolation, "the other end sent \(reason)"), context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch (self.state, error) {
        case (.closed, _):
            break
        case (.opening, let error as WebSocketError):
            self.failed(error, on: context.channel)
        case (.opening, _):
            let isTLS = error is NIOSSLError || error is NIOSSLExtraError || error is BoringSSLError
            self.failed(
                WebSocketError(isTLS ? .tlsFailed : .refused, isTLS ? "no TLS connection" : "no WebSocket answers", cause: error), on: context.channel)
        case (_, NIOWebSocketError.invalidFrameLength):
            self.violated(
                .messageTooLarge, WebSocketError(.protocolViolation, "the other end sent a frame over \(self.configuration.maximumFrameByteCount) bytes"), context)
        case (_, is NIOWebSocketError):
            self.violated(.protocolError, WebSocketError(.protocolViolation, "the other end sent a frame that can't be", cause: error), context)
        default:
            // Many peers close TCP without a word of TLS: the end of the channel says enough.
            if let error = error as? NIOSSLError, case .uncleanShutdown = error { return }
            context.fireErrorCaught(error)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.answerPing(context)
        context.fireChannelWritabilityChanged()
    }

    private func answerPing(_ context: ChannelHandlerContext) {
        guard let data = self.unanswered, context.channel.isWritable, case .open = self.state else { return }
        self.unanswered = nil
        self.sendControl(.pong, data, context)
    }

    private func violated(_ code: WebSocketErrorCode, _ error: WebSocketError, _ context: ChannelHandlerContext) {
        if case .open = self.state {
            var data = ByteBuffer()
            data.write(webSocketErrorCode: code)
            self.sendControl(.connectionClose, data, context)
        }
        self.failed(error, on: context.channel)
    }

    // MARK: Outbound

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let bytes = self.unwrapOutboundIn(data)
        switch self.state {
        case .opening:
            guard self.heldByteCount + bytes.readableBytes <= Self.maximumHeldByteCount else {
                promise?.fail(WebSocketError(.protocolViolation, "too much is written before the handshake is done"))
                return
            }
            self.heldByteCount += bytes.readableBytes
            self.held.append((bytes, promise))
        case .open:
            self.send(bytes, context, promise)
        case .closing, .closed:
            promise?.fail(ChannelError.ioOnClosedChannel)
        }
    }

    func flush(context: ChannelHandlerContext) {
        if case .opening = self.state {
            self.holdsFlush = true
        } else {
            context.flush()
        }
    }

    private func send(_ bytes: ByteBuffer, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        var rest = bytes
        let limit = max(1, self.configuration.sentFrameByteCount)
        while rest.readableBytes > limit, let piece = rest.readSlice(length: limit) {
            context.write(self.wrapOutboundOut(self.frame(.binary, piece)), promise: nil)
        }
        context.write(self.wrapOutboundOut(self.frame(.binary, rest)), promise: promise)
    }

    private func sendControl(_ opcode: WebSocketOpcode, _ data: ByteBuffer, _ context: ChannelHandlerContext) {
        context.writeAndFlush(self.wrapOutboundOut(self.frame(opcode, data)), promise: nil)
    }

    private func frame(_ opcode: WebSocketOpcode, _ data: ByteBuffer) -> WebSocketFrame {
        WebSocketFrame(fin: true, opcode: opcode, maskKey: self.isClient ? .random(using: &self.generator) : nil, data: data)
    }

    /// Sends a close frame and waits a moment for the other end's (RFC 6455 §7.1.2). There is no way to close one direction only.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .all else {
            promise?.fail(ChannelError.operationUnsupported)
            return
        }
        switch self.state {
        case .open:
            self.state = .closing
            self.closePromise = promise
            self.pings?.cancel()
            var data = ByteBuffer()
            data.write(webSocketErrorCode: .normalClosure)
            self.sendControl(.connectionClose, data, context)
            self.timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(self.configuration.closeTimeout)) {
                self.finishClosing(context)
            }
        case .closing:
            // Whoever asks again means it.
            if let promise {
                if let first = self.closePromise { first.futureResult.cascade(to: promise) } else { self.closePromise = promise }
            }
            self.finishClosing(context)
        case .opening, .closed:
            self.end(ChannelError.ioOnClosedChannel)
            context.close(mode: mode, promise: promise)
        }
    }

    private func finishClosing(_ context: ChannelHandlerContext) {
        let promise = self.closePromise
        self.closePromise = nil
        self.end(ChannelError.ioOnClosedChannel)
        context.close(mode: .all, promise: promise)
    }

    /// Nothing is sent or received any more.
    private func end(_ error: any Error) {
        self.state = .closed
        self.timer?.cancel()
        self.timer = nil
        self.pings?.cancel()
        self.pings = nil
        let held = self.held
        self.held = []
        for (_, promise) in held { promise?.fail(error) }
        // Only if the channel closed by itself meanwhile, which is what was wanted.
        self.closePromise?.succeed()
        self.closePromise = nil
    }
}
