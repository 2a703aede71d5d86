import NIOCore

/// Sends one request, takes one answer, closes the stream.
final class TransferQueryHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let request: TransferRequest
    private let handle: UInt32
    private let timeout: TimeAmount
    private var promise: EventLoopPromise<TransferResponse>?
    private var decoder = TransferFrameDecoder()
    private var deadline: Scheduled<Void>?

    init(request: TransferRequest, handle: UInt32, timeout: TimeAmount, promise: EventLoopPromise<TransferResponse>) {
        self.request = request
        self.handle = handle
        self.timeout = timeout
        self.promise = promise
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { self.ask(context: context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        self.ask(context: context)
        context.fireChannelActive()
    }

    private func ask(context: ChannelHandlerContext) {
        guard self.deadline == nil, self.promise != nil else { return }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        self.deadline = context.eventLoop.scheduleTask(in: self.timeout) {
            let (handler, context) = bound.value
            handler.finish(.failure(TransferError(.stalled, "the peer did not answer in time")), context: context)
        }
        var frame = context.channel.allocator.buffer(capacity: 64)
        frame.writeTransferRequest(self.request, handle: self.handle)
        context.writeAndFlush(self.wrapOutboundOut(frame), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        do {
            while let event = try self.decoder.next(&bytes) {
                guard case .response(self.handle, let response) = event else {
                    return self.finish(.failure(TransferError(.protocolViolation, "the peer sent what was not asked for")), context: context)
                }
                return self.finish(.success(response), context: context)
            }
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

    private func finish(_ result: Result<TransferResponse, any Error>, context: ChannelHandlerContext) {
        guard let promise = self.promise else { return }
        self.promise = nil
        self.deadline?.cancel()
        promise.completeWith(result)
        context.close(promise: nil)
    }
}
