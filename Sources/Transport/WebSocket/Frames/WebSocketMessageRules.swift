import NIOWebSocket

/// Whether a frame may come next (RFC 6455 §5). The messages that frames make up mean nothing here: their bytes are one stream.
struct WebSocketMessageRules {
    enum Verdict: Equatable {
        /// Bytes of the stream.
        case data
        case ping
        case pong
        case close
        case violation(WebSocketErrorCode, String)
    }

    /// Whether frames received have to be masked: those of a client (§5.1).
    let expectsMask: Bool
    private var isInMessage = false

    init(expectsMask: Bool) { self.expectsMask = expectsMask }

    mutating func received(_ frame: WebSocketFrame) -> Verdict {
        guard frame.reservedBits.isEmpty else { return .violation(.protocolError, "a frame of an extension that was not agreed on") }
        guard (frame.maskKey != nil) == self.expectsMask else {
            return .violation(.protocolError, self.expectsMask ? "a frame of a client without a mask" : "a masked frame of a server")
        }
        switch frame.opcode {
        case .binary:
            guard !self.isInMessage else { return .violation(.protocolError, "a message inside another") }
            self.isInMessage = !frame.fin
            return .data
        case .continuation:
            guard self.isInMessage else { return .violation(.protocolError, "the continuation of no message") }
            self.isInMessage = !frame.fin
            return .data
        case .ping: return .ping
        case .pong: return .pong
        case .connectionClose: return .close
        case .text: return .violation(.unacceptableData, "text, where bytes are spoken")
        default: return .violation(.protocolError, "a frame of an unknown kind")
        }
    }
}
