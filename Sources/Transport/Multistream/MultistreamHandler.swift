import DIGNet
import NIOCore

/// Negotiates, then hands what follows to the handlers behind it and leaves the pipeline.
final class MultistreamHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Prepares the channel for the protocol agreed. What the peer sends meanwhile is kept.
    typealias Initializer = @Sendable (ProtocolID) -> EventLoopFuture<Void>

    enum Role {
        case initiator(MultistreamInitiator)
        /// The future succeeds before the peer has answered.
        case optimisticInitiator(MultistreamInitiator, ProtocolID)
        case responder(MultistreamResponder, supporting: @Sendable () -> [ProtocolID])
    }

    private enum Phase {
        /// The channel is not active.
        case idle
        case negotiating
        /// The protocol is agreed and `received` belongs to it; the handlers for it are being added.
        case handingOver
        /// Nothing is done to what passes.
        case finished
        /// What arrives is dropped.
        case failed
    }

    private enum Outcome {
        case needsMore
        case agreed(ProtocolID)
        case failed(ConnectionError)
    }

    private var role: Role
    private var phase = Phase.idle
    private var received = ByteBuffer()
    private var isProcessing = false
    /// Nil once completed.
    private var promise: EventLoopPromise<ProtocolID>?
    private let initializer: Initializer?
    /// What was held back while handing over.
    private var heldEvents: [Any] = []
    private var isReadHeld = false

    init(role: Role, promise: EventLoopPromise<ProtocolID>, initializer: Initializer?) {
        self.role = role
        self.promise = promise
        self.initializer = initializer
    }

    // MARK: Inbound

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { self.start(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        self.start(context)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.phase {
        case .idle, .negotiating:
            var bytes = self.unwrapInboundIn(data)
            self.received.writeBuffer(&bytes)
            self.process(context)
        case .handingOver:
            var bytes = self.unwrapInboundIn(data)
            self.received.writeBuffer(&bytes)
        case .finished:
            context.fireChannelRead(data)
        case .failed:
            break
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch self.phase {
        case .idle, .negotiating:
            if let event = event as? ChannelEvent, event == .inputClosed {
                self.fail(context, ConnectionError(.closed, "the peer ended the stream while the protocol was negotiated"))
            } else {
                context.fireUserInboundEventTriggered(event)
            }
        case .handingOver:
            self.heldEvents.append(event)
        case .finished, .failed:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if self.phase != .finished {
            self.fail(context, ConnectionError(.closed, "the channel failed while the protocol was negotiated", cause: error))
        }
        context.fireErrorCaught(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if self.phase != .finished {
            self.fail(context, ConnectionError(.closed, "the channel closed while the protocol was negotiated"))
        }
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        // The channel closed before it was active.
        self.complete(.failure(ConnectionError(.closed, "the channel closed before the protocol was negotiated")))
    }

    // MARK: Outbound

    func read(context: ChannelHandlerContext) {
        // While the handlers are being added nobody would take what arrives: leave it to the channel's back-pressure.
        if self.phase == .handingOver {
            self.isReadHeld = true
        } else {
            context.read()
        }
    }

    // MARK: Steps

    private func start(_ context: ChannelHandlerContext) {
        guard self.phase == .idle else { return }
        self.phase = .negotiating
        switch self.role {
        case .initiator(var machine):
            let action = machine.started()
            self.role = .initiator(machine)
            self.perform(action, context)
        case .optimisticInitiator(var machine, let proposed):
            let action = machine.started()
            self.role = .optimisticInitiator(machine, proposed)
            self.perform(action, context)
            if self.phase == .negotiating { self.complete(.success(proposed)) }
        case .responder:
            break
        }
        self.process(context)
    }

    private func perform(_ action: MultistreamInitiator.Action, _ context: ChannelHandlerContext) {
        switch action {
        case .send(let messages): self.send(messages, context)
        case .fail(let error): self.fail(context, error)
        case .agree, .none: break
        }
    }

    private func send(_ messages: [MultistreamMessage], _ context: ChannelHandlerContext) {
        var bytes = context.channel.allocator.buffer(capacity: 64)
        for message in messages { bytes.writeMultistreamMessage(message) }
        context.writeAndFlush(self.wrapOutboundOut(bytes), promise: nil)
    }

    /// Takes every complete message. A write may make the channel read at once, so it must not start a second loop.
    private func process(_ context: ChannelHandlerContext) {
        guard !self.isProcessing else { return }
        self.isProcessing = true
        defer { self.isProcessing = false }

        while self.phase == .negotiating {
            var answers: [MultistreamMessage] = []
            let outcome = self.takeMessages(answers: &answers)
            // One write for all that was asked in one read.
            if !answers.isEmpty { self.send(answers, context) }
            switch outcome {
            case .needsMore:
                if answers.isEmpty { return }
            case .agreed(let id):
                self.handOver(id, context)
            case .failed(let error):
                self.fail(context, error)
            }
        }
    }

    private func takeMessages(answers: inout [MultistreamMessage]) -> Outcome {
        while true {
            let message: MultistreamMessage
            do {
                guard let next = try self.received.readMultistreamMessage() else { return .needsMore }
                message = next
            } catch {
                return .failed(ConnectionError(.protocolViolation, "no multistream-select message", cause: error))
            }

            let action: MultistreamInitiator.Action
            switch self.role {
            case .initiator(var machine):
                action = machine.received(message)
                self.role = .initiator(machine)
            case .optimisticInitiator(var machine, let proposed):
                action = machine.received(message)
                self.role = .optimisticInitiator(machine, proposed)
            case .responder(var machine, let supporting):
                let answer = machine.received(message, supporting: supporting)
                self.role = .responder(machine, supporting: supporting)
                switch answer {
                case .send(let messages): action = .send(messages)
                case .fail(let error): action = .fail(error)
                case .agree(let id):
                    answers.append(.protocolID(id))
                    action = .agree(id)
                }
            }

            switch action {
            case .send(let messages): answers += messages
            case .agree(let id): return .agreed(id)
            case .fail(let error): return .failed(error)
            case .none: break
            }
        }
    }

    private func handOver(_ id: ProtocolID, _ context: ChannelHandlerContext) {
        self.phase = .handingOver
        guard let initializer = self.initializer else { return self.finish(id, context) }
        // On the loop and only there: the channel's.
        initializer(id).hop(to: context.eventLoop).assumeIsolated().whenComplete { result in
            guard self.phase == .handingOver else { return }
            switch result {
            case .success: self.finish(id, context)
            case .failure(let error):
                self.fail(context, ConnectionError(.closed, "the stream could not be prepared for \(id)", cause: error))
            }
        }
    }

    private func finish(_ id: ProtocolID, _ context: ChannelHandlerContext) {
        // The callbacks add the next handler now, behind this one, before a byte is passed on.
        self.complete(.success(id))

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
        for event in self.heldEvents { context.fireUserInboundEventTriggered(event) }
        self.heldEvents = []
        if self.isReadHeld { context.read() }
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    private func complete(_ result: Result<ProtocolID, ConnectionError>) {
        guard let promise = self.promise else { return }
        self.promise = nil
        promise.completeWith(result.mapError { $0 as any Error })
    }

    private func fail(_ context: ChannelHandlerContext, _ error: ConnectionError) {
        guard self.phase != .failed else { return }
        self.phase = .failed
        self.received = ByteBuffer()
        self.heldEvents = []
        self.complete(.failure(error))
        // Whoever used the stream before the answer has no future left to hear from.
        if case .optimisticInitiator = self.role { context.fireErrorCaught(error) }
        context.close(mode: .all, promise: nil)
    }
}
