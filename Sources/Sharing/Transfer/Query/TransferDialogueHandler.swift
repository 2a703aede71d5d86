import NIOCore

/// Leads a ``TransferDialogue`` with the peer of a stream, and closes the stream.
final class TransferDialogueHandler<Dialogue: TransferDialogue>: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var dialogue: Dialogue
    private let timeout: TimeAmount
    private var promise: EventLoopPromise<Dialogue.Answer>?
    private var decoder = TransferFrameDecoder()
    private var deadline: Scheduled<Void>?

    /// - Parameters:
    ///   - timeout: From the first question to the answer.
    ///   - promise: Completed once: with the answer, with a ``TransferError``, or with what broke the stream.
    init(_ dialogue: Dialogue, timeout: TimeAmount, promise: EventLoopPromise<Dialogue.Answer>) {
        self.dialogue = dialogue
        self.timeout = timeout
        self.promise = promise
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { self.begin(context: context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        self.begin(context: context)
        context.fireChannelActive()
    }

    private func begin(context: ChannelHandlerContext) {
        guard self.deadline == nil, self.promise != nil else { return }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        self.deadline = context.eventLoop.scheduleTask(in: self.timeout) {
            let (handler, context) = bound.value
            handler.finish(.failure(TransferError(.stalled, Dialogue.overdueMessage)), context: context)
        }
        self.send(self.dialogue.begin(), context: context)
    }

    private func send(_ asks: [TransferAsk], context: ChannelHandlerContext) {
        for ask in asks {
            var frame = context.channel.allocator.buffer(capacity: 64)
            frame.writeTransferRequest(ask.request, handle: ask.handle)
            context.write(self.wrapOutboundOut(frame), promise: nil)
        }
        context.flush()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        do {
            while self.promise != nil, let event = try self.decoder.next(&bytes) {
                guard case .response(let handle, let response) = event else {
                    throw TransferError(.protocolViolation, "the peer sent what was not asked for")
                }
                switch try self.dialogue.received(response, handle: handle) {
                case .ask(let asks): self.send(asks, context: context)
                case .wait: break
                case .end(let answer): self.finish(.success(answer), context: context)
                }
            }
        } catch let error as TransferError {
            self.finish(.failure(error), context: context)
        } catch {
            self.finish(.failure(TransferError(.protocolViolation, "the peer sent no frame of the transfer protocol", cause: error)), context: context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.finish(.failure(TransferError(.disconnected, "the peer ended the stream before it answered")), context: context)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.finish(.failure(error), context: context)
    }

    private func finish(_ result: Result<Dialogue.Answer, any Error>, context: ChannelHandlerContext) {
        guard let promise = self.promise else { return }
        self.promise = nil
        self.deadline?.cancel()
        promise.completeWith(result)
        context.close(promise: nil)
    }
}
