import NIOCore
import NIOHTTP1

/// Sends one request when the connection is there, collects the answer and closes.
final class HTTPAnswerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let head: HTTPRequestHead
    private let body: ByteBuffer?
    private var promise: EventLoopPromise<HTTPAnswer>?
    private var answer: HTTPAnswer?

    init(head: HTTPRequestHead, body: ByteBuffer?, promise: EventLoopPromise<HTTPAnswer>) {
        self.head = head
        self.body = body
        self.promise = promise
    }

    func channelActive(context: ChannelHandlerContext) {
        context.write(self.wrapOutboundOut(.head(self.head)), promise: nil)
        if let body { context.write(self.wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            if head.status.code >= 200 { self.answer = HTTPAnswer(status: Int(head.status.code), body: []) }
        case .body(let bytes):
            self.answer?.body += Array(bytes.readableBytesView)
        case .end:
            if let answer { self.finish(.success(answer), context) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is HTTPParserError {
            self.finish(.failure(PortMappingError(.malformedAnswer, "the gateway's answer is no HTTP: \(error)")), context)
        } else {
            self.finish(.failure(PortMappingError(wrapping: error)), context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.finish(.failure(PortMappingError(.malformedAnswer, "the gateway closed the connection without an answer")), context)
    }

    func finish(_ result: Result<HTTPAnswer, any Error>, _ context: ChannelHandlerContext) {
        guard let promise = self.promise else { return }
        self.promise = nil
        promise.completeWith(result)
        context.close(promise: nil)
    }
}
