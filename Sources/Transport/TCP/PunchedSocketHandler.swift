import DIGNet
import NIOCore
import NIOPosix

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Makes the end of a punched connection that came to nothing a reset: closed in the ordinary way, its four-tuple would wait for a minute (TIME-WAIT,
/// RFC 9293 §3.6.1), and it is the only one that the next attempt can use.
final class PunchedSocketHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    /// Whoever has sent more than this has taken part in a handshake: more than the names of protocols.
    private static let handshakeByteCount = 128

    private var receivedByteCount = 0

    static func install(on channel: any Channel) -> EventLoopFuture<Void> {
        guard let options = channel as? any SocketOptionProvider else { return channel.eventLoop.makeSucceededVoidFuture() }
        #if os(Linux)
        let isFresh = options.forgetRoundTrip()
        #else
        let isFresh = channel.eventLoop.makeSucceededVoidFuture()
        #endif
        return isFresh.flatMap { options.setSoLinger(linger(l_onoff: 1, l_linger: 0)) }.flatMapThrowing {
            try channel.pipeline.syncOperations.addHandler(PunchedSocketHandler(), position: .first)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.receivedByteCount += self.unwrapInboundIn(data).readableBytes
        context.fireChannelRead(data)
        if self.receivedByteCount > Self.handshakeByteCount {
            if let options = context.channel as? any SocketOptionProvider {
                // The socket is gone: then there is nothing to end any more.
                options.setSoLinger(linger(l_onoff: 0, l_linger: 0)).whenFailure { _ in }
            }
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        }
    }
}
