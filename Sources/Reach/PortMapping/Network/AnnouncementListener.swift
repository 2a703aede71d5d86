import DIGMultiformats
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

/// Hears a gateway say that it has restarted (RFC 6886 §3.2.1, RFC 6887 §14.1.2): datagrams to all hosts of the link, UDP port 5350.
///
/// What they say is not read: whoever sent them, the gateway is asked.
final class AnnouncementListener: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    static let port: UInt16 = 5350
    /// 224.0.0.1: every host is a member without joining.
    static let group = IPv4Address(224, 0, 0, 1)
    /// Ours.
    private static let minimumInterval: Duration = .seconds(1)

    private let report: @Sendable (IPAddress) -> Void
    private var lastReportAt: ContinuousClock.Instant?

    private init(_ report: @escaping @Sendable (IPAddress) -> Void) {
        self.report = report
    }

    static func open(on eventLoop: any EventLoop, report: @escaping @Sendable (IPAddress) -> Void) -> EventLoopFuture<any Channel> {
        eventLoop.flatSubmit {
            let address: SocketAddress
            do { address = try SocketAddress(ip: [.ip4(Self.group)], port: Self.port) } catch { return eventLoop.makeFailedFuture(error) }
            return DatagramBootstrap(group: eventLoop)
                .channelOption(.socketOption(.so_reuseaddr), value: 1)
                .channelOption(.socketOption(.init(rawValue: SO_REUSEPORT)), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(AnnouncementListener(report)) }
                }
                .bind(to: address)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let source = IPAddress(self.unwrapInboundIn(data).remoteAddress) else { return }
        let now = ContinuousClock.now
        if let lastReportAt, now - lastReportAt < Self.minimumInterval { return }
        self.lastReportAt = now
        self.report(source)
    }

    /// A datagram that could not be received is no reason to close.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
