import NIOCore
import NIOPosix

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// One bound UDP socket. Received by a channel, sent by hand.
///
/// NIO closes a datagram channel when a write fails with most errors, a missing route or a firewall's rule among them, and
/// cannot choose the source address; neither will do for a port that many protocols share.
///
/// Sendable although it has state: everything but what is constant is used on the channel's event loop only.
final class UDPSocket: @unchecked Sendable {
    enum SendResult: Hashable {
        case sent
        /// The kernel's buffer is full. Try again later.
        case wouldBlock
        /// Never will be sent; the reason is the system's error number.
        case refused(CInt)
    }

    /// With the port that the system chose.
    let address: SocketAddress
    let isWildcard: Bool
    /// Owned by the channel: valid as long as the channel is active.
    private let descriptor: CInt
    private(set) var channel: (any Channel)?
    private var sourceMessages: [SocketAddress: PacketInfoMessage] = [:]
    /// Ours: a machine has few addresses; the table is emptied when it is full.
    private static let maximumSourceMessageCount = 64

    /// Makes and binds a socket.
    ///
    /// - Throws: ``UDPError``.
    init(binding address: SocketAddress, configuration: UDPConfiguration) throws(UDPError) {
        #if os(Linux)
        let type = CInt(SOCK_DGRAM.rawValue)
        #else
        let type = SOCK_DGRAM
        #endif
        let family: CInt
        switch address.protocol {
        case .inet: family = AF_INET
        case .inet6: family = AF_INET6
        default: throw UDPError(.addressUnavailable, "\(address) is no IP address")
        }
        let descriptor = socket(family, type, 0)
        guard descriptor >= 0 else { throw Self.error(address) }
        do throws(UDPError) {
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            if family == AF_INET6 {
                try Self.setOption(descriptor, CInt(IPPROTO_IPV6), IPV6_V6ONLY, 1, address)
            }
            // The system may give less; that is no reason to fail.
            if let count = configuration.receiveBufferByteCount {
                try? Self.setOption(descriptor, SOL_SOCKET, SO_RCVBUF, CInt(clamping: count), address)
            }
            if let count = configuration.sendBufferByteCount {
                try? Self.setOption(descriptor, SOL_SOCKET, SO_SNDBUF, CInt(clamping: count), address)
            }
            guard address.withSockAddr({ bind(descriptor, $0, socklen_t($1)) }) == 0 else { throw Self.error(address) }
            self.address = try Self.boundAddress(of: descriptor, wanted: address)
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        self.isWildcard = address.ipAddress == "0.0.0.0" || address.ipAddress == "::"
    }

    /// Closes a socket that no channel has taken yet.
    func abandon() {
        guard self.channel == nil else { return }
        close(self.descriptor)
    }

    /// Makes the channel that receives. On failure the socket is closed.
    func open(
        on eventLoop: any EventLoop, configuration: UDPConfiguration, handler: @escaping @Sendable () -> any ChannelHandler & Sendable
    ) async throws {
        let count = max(1, configuration.datagramsPerRead)
        var bootstrap = DatagramBootstrap(group: eventLoop)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: max(1, configuration.maximumDatagramByteCount) * count))
            .channelInitializer { channel in
                self.channel = channel
                return channel.pipeline.addHandler(handler())
            }
        if count > 1 { bootstrap = bootstrap.channelOption(.datagramVectorReadMessageCount, value: count) }
        if self.isWildcard { bootstrap = bootstrap.channelOption(.receivePacketInfo, value: true) }
        _ = try await bootstrap.withBoundSocket(self.descriptor).get()
    }

    /// Sends one datagram.
    ///
    /// - Parameter source: The address it is to leave from, for a socket bound to the wildcard.
    func send(_ payload: ByteBuffer, to destination: SocketAddress, from source: SocketAddress?) -> SendResult {
        guard let channel = self.channel, channel.isActive else { return .refused(EBADF) }
        guard self.isWildcard, let source else { return self.send(payload, to: destination, control: []) }
        guard let message = self.sourceMessage(source) else { return .refused(EINVAL) }
        return self.send(payload, to: destination, control: message.bytes)
    }

    private func sourceMessage(_ source: SocketAddress) -> PacketInfoMessage? {
        if let message = self.sourceMessages[source] { return message }
        guard let message = PacketInfoMessage(source: source) else { return nil }
        if self.sourceMessages.count >= Self.maximumSourceMessageCount { self.sourceMessages.removeAll() }
        self.sourceMessages[source] = message
        return message
    }

    private func send(_ payload: ByteBuffer, to destination: SocketAddress, control: [UInt8]) -> SendResult {
        // Copied, because the kernel wants mutable pointers.
        var control = control
        return destination.withSockAddr { name, nameByteCount in
            payload.withUnsafeReadableBytes { bytes in
                control.withUnsafeMutableBytes { control in
                    var vector = iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
                    return withUnsafeMutablePointer(to: &vector) { vector in
                        var header = msghdr()
                        header.msg_name = UnsafeMutableRawPointer(mutating: UnsafeRawPointer(name))
                        header.msg_namelen = socklen_t(nameByteCount)
                        header.msg_iov = vector
                        header.msg_iovlen = 1
                        if !control.isEmpty {
                            header.msg_control = control.baseAddress
                            header.msg_controllen = .init(control.count)
                        }
                        while true {
                            if sendmsg(self.descriptor, &header, Self.sendFlags) >= 0 { return .sent }
                            switch errno {
                            case EINTR: continue
                            case EAGAIN, EWOULDBLOCK, ENOBUFS: return .wouldBlock
                            case let number: return .refused(number)
                            }
                        }
                    }
                }
            }
        }
    }

    #if canImport(Darwin)
    private static let sendFlags: CInt = MSG_DONTWAIT
    #else
    private static let sendFlags = CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL)
    #endif

    private static func setOption(_ descriptor: CInt, _ level: CInt, _ name: CInt, _ value: CInt, _ address: SocketAddress) throws(UDPError) {
        var value = value
        guard setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<CInt>.size)) == 0 else { throw Self.error(address) }
    }

    private static func boundAddress(of descriptor: CInt, wanted: SocketAddress) throws(UDPError) -> SocketAddress {
        var storage = sockaddr_storage()
        var byteCount = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &byteCount) }
        }
        guard result == 0 else { throw Self.error(wanted) }
        return withUnsafeBytes(of: &storage) { bytes in
            wanted.protocol == .inet
                ? SocketAddress(bytes.loadUnaligned(as: sockaddr_in.self)) : SocketAddress(bytes.loadUnaligned(as: sockaddr_in6.self))
        }
    }

    private static func error(_ address: SocketAddress) -> UDPError {
        let number = errno
        let code: UDPError.Code =
            switch number {
            case EADDRINUSE: .addressInUse
            case EADDRNOTAVAIL, EAFNOSUPPORT: .addressUnavailable
            default: .failed
            }
        return UDPError(code, "UDP \(address) can't be bound", cause: IOError(errnoCode: number, reason: "bind"))
    }
}
