package import NIOCore
import NIOHTTP1

/// Takes the frames of a WebSocket once its opening handshake is done.
package protocol WebSocketFrameHandler: ChannelHandler {
    /// Frames may be sent, and come. Once.
    func opened()
    /// There is no WebSocket. Tells whoever waits for it, and closes `channel`.
    func failed(_ error: any Error, on channel: any Channel)
}

extension WebSocketFrameHandler {
    /// Adds itself to `channel`, behind what does the opening handshake.
    ///
    /// - Parameters:
    ///   - maximumHeaderByteCount: Of the other end's HTTP headers together. More fail the channel.
    ///   - maximumFrameByteCount: Of a frame received, which is kept whole.
    package func add(
        to channel: any Channel, as role: WebSocketRole, maximumHeaderByteCount: Int, maximumFrameByteCount: Int
    ) throws {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = maximumHeaderByteCount
        limits.maxHeaderListSize = maximumHeaderByteCount
        let pipeline = channel.pipeline.syncOperations
        // The handshake is added last: with an active channel, whose initializer runs late, it begins at once.
        if role.isClient {
            let encoder = HTTPRequestEncoder()
            let decoder = ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits))
            try pipeline.addHandlers([encoder, decoder, self])
            try pipeline.addHandler(
                WebSocketHandshakeHandler<HTTPClientResponsePart>(
                    role: role, frames: self, encoder: encoder, decoder: decoder, maximumFrameByteCount: maximumFrameByteCount),
                position: .before(self))
        } else {
            let encoder = HTTPResponseEncoder()
            let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits))
            try pipeline.addHandlers([encoder, decoder, self])
            try pipeline.addHandler(
                WebSocketHandshakeHandler<HTTPServerRequestPart>(
                    role: role, frames: self, encoder: encoder, decoder: decoder, maximumFrameByteCount: maximumFrameByteCount),
                position: .before(self))
        }
    }
}
