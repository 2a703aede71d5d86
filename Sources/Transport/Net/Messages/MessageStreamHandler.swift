import DIGMultiformats
import NIOCore

/// The pipeline's part of a ``MessageStream``.
final class MessageStreamHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The most bytes that a length may take (unsigned-varint specification).
    private static let maximumPrefixByteCount = 9

    private let eventLoop: any EventLoop
    private let limit: Int
    private let timeout: Duration
    private var context: ChannelHandlerContext?
    private var buffered = ByteBuffer()
    private var reader: EventLoopPromise<ByteBuffer>?
    private var timer: Scheduled<Void>?
    /// Why no more bytes will come.
    private var end: (any Error)?
    private var isInputClosed = false
    private var holdsRead = false

    init(eventLoop: any EventLoop, limit: Int, timeout: Duration) {
        self.eventLoop = eventLoop
        self.limit = limit
        self.timeout = timeout
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.ended(ConnectionError(.closed, "the stream is used otherwise"))
        self.context = nil
    }

    // MARK: What the owner asks for

    func read() -> EventLoopFuture<ByteBuffer> {
        guard let context = self.context else { return self.closedFuture() }
        guard self.reader == nil else {
            return context.eventLoop.makeFailedFuture(ConnectionError(.protocolViolation, "two reads of one stream at a time"))
        }
        let promise = context.eventLoop.makePromise(of: ByteBuffer.self)
        self.reader = promise
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(self.timeout)) { [timeout] in
            self.fail(ConnectionError(.timedOut, "no message within \(timeout)"), context: context)
        }
        self.deliver(context: context)
        if self.reader != nil, let end = self.end { self.complete(.failure(end)) }
        return promise.futureResult
    }

    func write(_ framed: ByteBuffer) -> EventLoopFuture<Void> {
        guard let context = self.context else { return self.closedFuture() }
        let promise = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(self.wrapOutboundOut(framed), promise: promise)
        return promise.futureResult
    }

    func handOver(to next: () -> EventLoopFuture<Void>) -> EventLoopFuture<Void> {
        guard let context = self.context else { return self.closedFuture() }
        return next().assumeIsolated().flatMap {
            if self.buffered.readableBytes > 0 {
                context.fireChannelRead(self.wrapInboundOut(self.buffered))
                context.fireChannelReadComplete()
                self.buffered.clear()
            }
            if self.isInputClosed { context.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
            self.holdsRead = false
            let removed = context.eventLoop.makePromise(of: Void.self)
            context.pipeline.syncOperations.removeHandler(self, promise: removed)
            context.read()
            return removed.futureResult
        }.nonisolated()
    }

    private func closedFuture<Value: Sendable>() -> EventLoopFuture<Value> {
        self.eventLoop.makeFailedFuture(self.end ?? ConnectionError(.closed, "the stream is closed"))
    }

    // MARK: What the stream brings

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        self.buffered.writeBuffer(&bytes)
        self.deliver(context: context)
    }

    func read(context: ChannelHandlerContext) {
        // Whoever reads gets bytes; otherwise no more than one message is waiting here.
        if self.reader == nil, self.buffered.readableBytes > self.limit + Self.maximumPrefixByteCount {
            self.holdsRead = true
        } else {
            context.read()
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            self.isInputClosed = true
            self.ended(ConnectionError(.closed, "the peer ended the stream before the message"))
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.fail(error, context: context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.ended(ConnectionError(.closed, "the stream ended before the message"))
        context.fireChannelInactive()
    }

    private func deliver(context: ChannelHandlerContext) {
        guard self.reader != nil else { return }
        var rest = self.buffered
        do {
            let length = try rest.readUnsignedVarint()
            guard length <= UInt64(self.limit) else {
                return self.fail(ConnectionError(.protocolViolation, "a message of \(length) bytes, over \(self.limit)"), context: context)
            }
            if let message = rest.readSlice(length: Int(length)) {
                self.buffered = rest
                self.buffered.discardReadBytes()
                self.complete(.success(message))
                return
            }
        } catch .truncated {
            // More is to come.
        } catch {
            return self.fail(ConnectionError(.protocolViolation, "a length that is no varint", cause: error), context: context)
        }
        if self.holdsRead {
            self.holdsRead = false
            context.read()
        }
    }

    private func ended(_ error: any Error) {
        if self.end == nil { self.end = error }
        self.complete(.failure(error))
    }

    private func fail(_ error: any Error, context: ChannelHandlerContext) {
        self.ended(error)
        context.close(promise: nil)
    }

    private func complete(_ result: Result<ByteBuffer, any Error>) {
        guard let reader = self.reader else { return }
        self.reader = nil
        self.timer?.cancel()
        reader.completeWith(result)
    }
}
