import DIGMultiformats
import NIOCore
import NIOPosix

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Opens the UDP sockets that speak with the group on one interface.
///
/// The first is bound to the group's address, so nothing that is sent to this machine alone gets in: RFC 6762 §11 wants
/// packets of the local link only, and routers do not forward this group. `SO_REUSEADDR` and `SO_REUSEPORT` let it
/// share the port with the system's own responder.
///
/// The second has a port of its own, and hears the answers to what is asked from there (RFC 6762 §5.1, §6.7). On the common port they would reach
/// one of the machine's programs only, whichever the kernel picks, and be lost to the one that asked (§15.1).
enum MulticastSocket {
    static func openForUnicast(
        _ interface: MulticastInterface, on eventLoop: any EventLoop, initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<any Channel> {
        let own: SocketAddress
        do { own = try interface.ownAddress() } catch { return eventLoop.makeFailedFuture(error) }
        return DatagramBootstrap(group: eventLoop)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: ByteBuffer.maximumDNSMessageByteCount + 1))
            .channelInitializer(initializer)
            .bind(to: own)
            .flatMap { channel in
                guard let socket = channel as? any SocketOptionProvider else {
                    return channel.close().flatMapThrowing { throw ChannelError.operationUnsupported }
                }
                return Self.speak(on: interface, socket).map { channel }.flatMapError { error in
                    channel.close().flatMapThrowing { throw error }
                }
            }
    }

    static func open(
        _ interface: MulticastInterface, port: UInt16, on eventLoop: any EventLoop,
        initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<any Channel> {
        let group: SocketAddress
        do { group = try interface.groupAddress(port: port) } catch { return eventLoop.makeFailedFuture(error) }
        return DatagramBootstrap(group: eventLoop)
            .channelOption(.socketOption(.so_reuseaddr), value: 1)
            .channelOption(.socketOption(.init(rawValue: SO_REUSEPORT)), value: 1)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: ByteBuffer.maximumDNSMessageByteCount + 1))
            .channelInitializer(initializer)
            .bind(to: group)
            .flatMap { channel in
                Self.join(channel, interface, group: group).flatMapError { error in
                    channel.close().flatMapThrowing { throw error }
                }
            }
    }

    private static func join(_ channel: any Channel, _ interface: MulticastInterface, group: SocketAddress) -> EventLoopFuture<any Channel> {
        guard let multicast = channel as? any MulticastChannel, let socket = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        let spoken = Self.speak(on: interface, socket)
        let options: EventLoopFuture<Void>
        switch interface.address {
        case .ip4(let ip):
            options = spoken
                .flatMap { Self.onlyJoined(socket, level: IPPROTO_IP, option: 49) }
                // An `ip_mreq`. NIO's own call refuses the loopback interface, which lacks the flag but works.
                .flatMap {
                    socket.unsafeSetSocketOption(
                        level: .ip, name: .ip_add_membership, value: (MulticastInterface.group4.rawValue.bigEndian, ip.rawValue.bigEndian))
                }
        case .ip6:
            options = spoken
                .flatMap { Self.onlyJoined(socket, level: IPPROTO_IPV6, option: 29) }
                .flatMap { multicast.joinGroup(group, device: interface.device) }
        }
        return options.map { channel }
    }

    /// What is sent goes out on the interface.
    private static func speak(on interface: MulticastInterface, _ socket: any SocketOptionProvider) -> EventLoopFuture<Void> {
        switch interface.address {
        case .ip4(let ip):
            // The value is an `in_addr`: four bytes in network order.
            socket.unsafeSetSocketOption(level: .ip, name: .ip_multicast_if, value: ip.rawValue.bigEndian)
                // RFC 6762 §11: 255, so that receivers can tell a packet of the link.
                .flatMap { socket.setIPMulticastTTL(255) }
                .flatMap { socket.unsafeSetSocketOption(level: .ip, name: NIOBSDSocket.Option(rawValue: CInt(IP_TTL)), value: CInt(255)) }
                // Other processes of this machine want to hear us.
                .flatMap { socket.setIPMulticastLoop(1) }
        case .ip6:
            socket.setIPv6MulticastIF(CUnsignedInt(truncatingIfNeeded: interface.device.interfaceIndex))
                .flatMap { socket.setIPv6MulticastHops(255) }
                .flatMap { socket.unsafeSetSocketOption(level: .ipv6, name: NIOBSDSocket.Option(rawValue: CInt(IPV6_UNICAST_HOPS)), value: CInt(255)) }
                .flatMap { socket.setIPv6MulticastLoop(1) }
        }
    }

    /// Linux hands a socket the packets of every group that anybody on the machine has joined, on any interface, unless
    /// `IP_MULTICAST_ALL` (49), `IPV6_MULTICAST_ALL` (29) is off: ip(7), ipv6(7).
    private static func onlyJoined(_ socket: any SocketOptionProvider, level: some BinaryInteger, option: Int) -> EventLoopFuture<Void> {
        #if os(Linux)
        return socket.unsafeSetSocketOption(
            level: NIOBSDSocket.OptionLevel(rawValue: CInt(level)), name: NIOBSDSocket.Option(rawValue: CInt(option)), value: CInt(0))
        #else
        return socket.eventLoop.makeSucceededVoidFuture()
        #endif
    }
}
