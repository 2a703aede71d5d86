import DIGNet
import NIOCore

/// Runs the handshake, then puts a ``NoiseHandler`` in its place.
final class NoiseHandshakeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        /// The channel is not active.
        case idle
        case handshaking
        /// The callbacks run or what was left over is passed on.
        case handingOver
        case finished
        case failed
    }

    private var machine: NoiseHandshakeStateMachine
    private var phase = Phase.idle
    private var received = ByteBuffer()
    private var isProcessing = false
    /// Nil once completed.
    private var promise: EventLoopPromise<SecuredChannel>?

    init(machine: NoiseHandshakeStateMachine, promise: EventLoopPromise<SecuredChannel>) {
        self.machine = machine
        self.promise = promise
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { self.start(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        self.start(context)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.phase {
        case .idle, .handshaking, .handingOver:
            var bytes = self.unwrapInboundIn(data)
            self.received.writeBuffer(&bytes)
            self.process(context)
        case .finished:
            context.fireChannelRead(data)
        case .failed:
            break
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if self.phase == .idle || self.phase == .handshaking, let event = event as? ChannelEvent, event == .inputClosed {
            self.fail(context, ConnectionError(.closed, "the peer ended the channel during the Noise handshake"))
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if self.phase != .finished {
            self.fail(context, ConnectionError(.closed, "the channel failed during the Noise handshake", cause: error))
        }
        context.fireErrorCaught(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if self.phase != .finished {
            self.fail(context, ConnectionError(.closed, "the channel closed during the Noise handshake"))
        }
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        // The channel closed before it was active.
        self.complete(.failure(ConnectionError(.closed, "the channel closed before the Noise handshake")))
    }

    // MARK: Steps

    private func start(_ context: ChannelHandlerContext) {
        guard self.phase == .idle else { return }
        self.phase = .handshaking
        do {
            if let first = try self.machine.started() {
                self.write(first, context)
                context.flush()
            }
        } catch {
            return self.fail(context, Self.connectionError(error))
        }
        self.process(context)
    }

    /// Takes every complete message. A write may make the channel read at once, so it must not start a second loop.
    private func process(_ context: ChannelHandlerContext) {
        guard !self.isProcessing else { return }
        self.isProcessing = true
        defer { self.isProcessing = false }

        while self.phase == .handshaking {
            guard let length = self.received.getInteger(at: self.received.readerIndex, as: UInt16.self) else { return }
            guard Int(length) <= NoiseHandshakeStateMachine.maximumMessageLength else {
                return self.fail(context, Self.connectionError(.tooLong))
            }
            guard self.received.readableBytes >= 2 + Int(length) else { return }
            self.received.moveReaderIndex(forwardBy: 2)
            guard let message = self.received.readBytes(length: Int(length)) else { return }

            do {
                switch try self.machine.received(message) {
                case .send(let answer):
                    self.write(answer, context)
                    context.flush()
                case .complete(let session, let last):
                    if let last { self.write(last, context) }
                    self.handOver(session, context)
                }
            } catch {
                self.fail(context, Self.connectionError(error))
            }
        }
    }

    private func handOver(_ session: NoiseHandshakeStateMachine.Session, _ context: ChannelHandlerContext) {
        self.phase = .handingOver
        do {
            try context.pipeline.syncOperations.addHandler(
                NoiseHandler(outbound: session.outbound, inbound: session.inbound), position: .after(context.handler))
        } catch {
            return self.fail(context, ConnectionError(.closed, "the channel closed during the Noise handshake", cause: error))
        }
        // The callbacks add the next handler now, behind the one above, before a byte is passed on.
        self.complete(.success(session.channel))
        // The last handshake message leaves with whatever the callbacks wrote behind it.
        context.flush()

        var didPass = false
        while self.phase == .handingOver, self.received.readableBytes > 0 {
            let bytes = self.received
            self.received = ByteBuffer()
            didPass = true
            context.fireChannelRead(self.wrapInboundOut(bytes))
        }
        guard self.phase == .handingOver else { return }
        self.phase = .finished
        if didPass { context.fireChannelReadComplete() }
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    private func write(_ message: [UInt8], _ context: ChannelHandlerContext) {
        var frame = context.channel.allocator.buffer(capacity: 2 + message.count)
        // A handshake message of ours has a few hundred bytes.
        frame.writeInteger(UInt16(truncatingIfNeeded: message.count))
        frame.writeBytes(message)
        context.write(self.wrapOutboundOut(frame), promise: nil)
    }

    private func complete(_ result: Result<SecuredChannel, ConnectionError>) {
        guard let promise = self.promise else { return }
        self.promise = nil
        promise.completeWith(result.mapError { $0 as any Error })
    }

    private func fail(_ context: ChannelHandlerContext, _ error: ConnectionError) {
        guard self.phase != .failed else { return }
        self.phase = .failed
        self.received = ByteBuffer()
        self.complete(.failure(error))
        context.close(mode: .all, promise: nil)
    }

    private static func connectionError(_ error: NoiseError) -> ConnectionError {
        switch error {
        case .peerMismatch: ConnectionError(.peerMismatch, "the peer's key is not that of the peer expected", cause: error)
        case .noCommonMuxer: ConnectionError(.noCommonProtocol, "the peer speaks none of our multiplexers", cause: error)
        default: ConnectionError(.protocolViolation, "the Noise handshake failed", cause: error)
        }
    }
}
