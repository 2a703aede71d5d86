import DIGNet
import NIOCore

enum Echo {
    static let protocolID: ProtocolID = "/dig-test/echo/1.0.0"
}

/// Sends back what arrives, no faster than the peer takes it, and ends its side when the peer has.
final class EchoResponder: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var isReadHeld = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.write(data, promise: nil)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            context.read()
        } else {
            self.isReadHeld = true
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable, self.isReadHeld {
            self.isReadHeld = false
            context.read()
        }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed {
            context.flush()
            context.close(mode: .output, promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }
}

/// Sends bytes while it compares what comes back, ends its side, and waits for the peer to end the other.
final class EchoInitiator: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    struct Mismatch: Error {
        var received: Int
        var expected: Int
    }

    private let block: ByteBuffer
    private let total: Int
    private var unsent: Int
    private var received = 0
    private var promise: EventLoopPromise<Void>?

    init(byteCount: Int, promise: EventLoopPromise<Void>) {
        self.block = ByteBuffer(bytes: (0..<65_536).map { _ in UInt8.random(in: .min ... .max) })
        self.total = byteCount
        self.unsent = byteCount
        self.promise = promise
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { self.send(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        self.send(context)
        context.fireChannelActive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.send(context)
        context.fireChannelWritabilityChanged()
    }

    private func send(_ context: ChannelHandlerContext) {
        guard self.unsent > 0 else { return }
        while self.unsent > 0, context.channel.isWritable {
            let count = min(self.unsent, self.block.readableBytes)
            guard let piece = self.block.getSlice(at: 0, length: count) else { return }
            self.unsent -= count
            context.writeAndFlush(self.wrapOutboundOut(piece), promise: nil)
        }
        if self.unsent == 0 { context.close(mode: .output, promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        while bytes.readableBytes > 0 {
            let offset = self.received % self.block.readableBytes
            let count = min(bytes.readableBytes, self.block.readableBytes - offset)
            guard let part = bytes.readSlice(length: count), part == self.block.getSlice(at: offset, length: count) else {
                return self.complete(.failure(Mismatch(received: self.received, expected: self.total)))
            }
            self.received += count
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { self.end() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.end()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.complete(.failure(error))
    }

    private func end() {
        let isWhole = self.unsent == 0 && self.received == self.total
        self.complete(isWhole ? .success(()) : .failure(Mismatch(received: self.received, expected: self.total)))
    }

    private func complete(_ result: Result<Void, any Error>) {
        self.promise?.completeWith(result)
        self.promise = nil
    }
}
