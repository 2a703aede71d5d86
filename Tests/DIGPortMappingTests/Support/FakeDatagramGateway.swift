import NIOCore
import NIOPosix
import Synchronization

/// A UDP server on the loopback interface that answers what a test says.
final class FakeDatagramGateway: Sendable {
    typealias Reply = @Sendable (ByteBuffer) -> [ByteBuffer]

    let port: UInt16
    private let channel: any Channel
    private let log: Log

    private init(_ channel: any Channel, _ port: UInt16, _ log: Log) {
        self.channel = channel
        self.port = port
        self.log = log
    }

    /// What was received.
    final class Log: Sendable {
        let datagrams = Mutex<[ByteBuffer]>([])
    }

    var received: [ByteBuffer] { self.log.datagrams.withLock { $0 } }

    final class Handler: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        typealias OutboundOut = AddressedEnvelope<ByteBuffer>
        let reply: Reply
        let log: Log
        init(_ reply: @escaping Reply, _ log: Log) {
            self.reply = reply
            self.log = log
        }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let datagram = self.unwrapInboundIn(data)
            self.log.datagrams.withLock { $0.append(datagram.data) }
            for answer in self.reply(datagram.data) {
                context.writeAndFlush(self.wrapOutboundOut(AddressedEnvelope(remoteAddress: datagram.remoteAddress, data: answer)), promise: nil)
            }
        }
    }

    static func start(_ reply: @escaping Reply) async throws -> FakeDatagramGateway {
        let log = Log()
        let channel = try await DatagramBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Handler(reply, log)) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return FakeDatagramGateway(channel, UInt16(channel.localAddress?.port ?? 0), log)
    }

    func stop() async throws {
        try await self.channel.close()
    }
}
