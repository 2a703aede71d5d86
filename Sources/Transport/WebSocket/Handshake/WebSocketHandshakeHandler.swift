import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Does the opening handshake over the HTTP codec before it, then puts the frame codec in its place and leaves.
///
/// `Part` is what the HTTP codec makes: of responses at a client, of requests at a server.
final class WebSocketHandshakeHandler<Part>: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = Part

    private enum State {
        case idle
        /// The request is sent.
        case awaitingResponse(key: String)
        case awaitingRequest
        /// The head is there, its end is due.
        case accepted
        case answering(HTTPResponseHead)
        /// What comes are bytes of frames, which go to the handler before this one.
        case done
        case failed
    }

    private let role: WebSocketRole
    private let frames: any WebSocketFrameHandler
    private let encoder: any RemovableChannelHandler
    private let decoder: any RemovableChannelHandler
    private let maximumFrameByteCount: Int
    private var state = State.idle
    private let leftovers = WebSocketLeftoverHandler()

    init(
        role: WebSocketRole, frames: any WebSocketFrameHandler, encoder: any RemovableChannelHandler, decoder: any RemovableChannelHandler,
        maximumFrameByteCount: Int
    ) {
        self.role = role
        self.frames = frames
        self.encoder = encoder
        self.decoder = decoder
        self.maximumFrameByteCount = maximumFrameByteCount
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
        switch self.role {
        case .client(let host, let path):
            var generator = SystemRandomNumberGenerator()
            let key = WebSocketHandshake.makeKey(using: &generator)
            self.state = .awaitingResponse(key: key)
            context.write(NIOAny(HTTPClientRequestPart.head(WebSocketHandshake.request(host: host, path: path, key: key))), promise: nil)
            context.writeAndFlush(NIOAny(HTTPClientRequestPart.end(nil)), promise: nil)
        case .server:
            self.state = .awaitingRequest
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = self.unwrapInboundIn(data)
        switch self.role {
        case .client: self.received(part as? HTTPClientResponsePart, context)
        case .server: self.received(part as? HTTPServerRequestPart, context)
        }
    }

    private func received(_ part: HTTPClientResponsePart?, _ context: ChannelHandlerContext) {
        switch (self.state, part) {
        case (.awaitingResponse(let key), .head(let response)):
            do throws(WebSocketError) {
                try WebSocketHandshake.check(response, key: key)
                self.state = .accepted
            } catch {
                self.fail(error, context)
            }
        case (.accepted, .end):
            self.finish(context)
        case (.failed, _):
            break
        default:
            self.fail(WebSocketError(.protocolViolation, "the server sent something else than an answer"), context)
        }
    }

    private func received(_ part: HTTPServerRequestPart?, _ context: ChannelHandlerContext) {
        switch (self.state, part) {
        case (.awaitingRequest, .head(let request)):
            guard case .server(let path) = self.role else { return }
            self.state = .answering(WebSocketHandshake.answer(request, path: path))
        case (.answering(let response), .end):
            context.write(NIOAny(HTTPServerResponsePart.head(response)), promise: nil)
            guard response.status == .switchingProtocols else {
                let written = context.eventLoop.makePromise(of: Void.self)
                context.writeAndFlush(NIOAny(HTTPServerResponsePart.end(nil)), promise: written)
                let bound = NIOLoopBound(self.frames, eventLoop: context.eventLoop)
                let channel = context.channel
                written.futureResult.whenComplete { _ in
                    bound.value.failed(WebSocketError(.refused, "the client asked for something else than a WebSocket"), on: channel)
                }
                self.state = .failed
                return
            }
            context.writeAndFlush(NIOAny(HTTPServerResponsePart.end(nil)), promise: nil)
            self.finish(context)
        case (.failed, _):
            break
        case (.answering(let response), .body) where response.status != .switchingProtocols:
            break
        default:
            self.fail(WebSocketError(.protocolViolation, "the client sent something else than a request"), context)
        }
    }

    private func finish(_ context: ChannelHandlerContext) {
        self.state = .done
        let pipeline = context.pipeline.syncOperations
        do {
            try pipeline.addHandler(self.leftovers, position: .before(self))
        } catch {
            return self.fail(WebSocketError(.protocolViolation, "the pipeline is gone", cause: error), context)
        }
        pipeline.removeHandler(self.encoder, promise: nil)
        // Leaves in a later turn, handing on what came behind the head. It looks at what is written too, so no frame may be before it has left.
        let removed = context.eventLoop.makePromise(of: Void.self)
        pipeline.removeHandler(self.decoder, promise: removed)
        let bound = NIOLoopBound((context, self), eventLoop: context.eventLoop)
        removed.futureResult.whenSuccess {
            let (context, handler) = bound.value
            handler.open(context)
        }
    }

    private func open(_ context: ChannelHandlerContext) {
        let pipeline = context.pipeline.syncOperations
        do {
            try pipeline.addHandlers(
                [WebSocketFrameEncoder(), ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: self.maximumFrameByteCount))], position: .after(self))
        } catch {
            return self.fail(WebSocketError(.protocolViolation, "the pipeline is gone", cause: error), context)
        }
        self.frames.opened()
        pipeline.removeHandler(self, promise: nil)
        pipeline.removeHandler(self.leftovers, promise: nil)
    }

    private func fail(_ error: WebSocketError, _ context: ChannelHandlerContext) {
        self.state = .failed
        self.frames.failed(error, on: context.channel)
    }
}
