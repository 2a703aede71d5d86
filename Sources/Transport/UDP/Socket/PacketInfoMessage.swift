import NIOCore

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// The control message of `sendmsg` that names the address a datagram is to leave from (RFC 3542 §6.2, ip(7)).
///
/// ```
/// length of all (size_t; Darwin: 4 bytes) | level (4) | type (4) | payload
/// IPv4 payload: interface (4) | source (4) | 0 (4)         IPv6 payload: source (16) | interface (4)
/// ```
///
/// Interface 0 leaves the choice to the routing table.
struct PacketInfoMessage {
    #if canImport(Darwin)
    private static let lengthByteCount = 4
    private static let ip4Type: CInt = 26  // IP_PKTINFO
    private static let ip6Type: CInt = 46  // IPV6_PKTINFO
    #else
    private static let lengthByteCount = MemoryLayout<Int>.size
    private static let ip4Type: CInt = 8  // IP_PKTINFO
    private static let ip6Type: CInt = 50  // IPV6_PKTINFO
    #endif

    /// Where the address is in `sockaddr_in` and `sockaddr_in6`, the same on Linux and Darwin.
    private static let ip4Address = 4..<8
    private static let ip6Address = 8..<24

    /// As `msg_control` wants it, padded to the alignment of control messages.
    private(set) var bytes: [UInt8]

    /// Nil if `source` is no IP address.
    init?(source: SocketAddress) {
        let payload: [UInt8]? = source.withSockAddr { pointer, size in
            let raw = UnsafeRawBufferPointer(start: pointer, count: size)
            switch source {
            case .v4:
                guard size >= Self.ip4Address.upperBound else { return nil }
                return [0, 0, 0, 0] + Array(raw[Self.ip4Address]) + [0, 0, 0, 0]
            case .v6:
                guard size >= Self.ip6Address.upperBound else { return nil }
                return Array(raw[Self.ip6Address]) + [0, 0, 0, 0]
            case .unixDomainSocket:
                return nil
            }
        }
        guard let payload else { return nil }
        let (level, type) = source.protocol == .inet ? (CInt(IPPROTO_IP), Self.ip4Type) : (CInt(IPPROTO_IPV6), Self.ip6Type)
        let headerByteCount = Self.lengthByteCount + 8
        let byteCount = headerByteCount + payload.count
        self.bytes = []
        if Self.lengthByteCount == 8 {
            Swift.withUnsafeBytes(of: UInt64(byteCount)) { self.bytes += $0 }
        } else {
            Swift.withUnsafeBytes(of: UInt32(byteCount)) { self.bytes += $0 }
        }
        Swift.withUnsafeBytes(of: level) { self.bytes += $0 }
        Swift.withUnsafeBytes(of: type) { self.bytes += $0 }
        self.bytes += payload
        let alignment = Self.lengthByteCount
        self.bytes += [UInt8](repeating: 0, count: (alignment - self.bytes.count % alignment) % alignment)
    }
}
