import NIOCore

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// A port that its listener shares with dials (`SO_REUSEPORT`).
enum ListeningPort {
    /// Looks whether somebody listens at `address` already.
    ///
    /// The system would let a second program of the same user listen on a shared port, and give each some of the connections.
    ///
    /// - Throws: `IOError` `EADDRINUSE`, or whatever else binding a socket there fails with.
    static func requireFree(_ address: SocketAddress) throws {
        #if os(Linux)
        let type = CInt(SOCK_STREAM.rawValue)
        #else
        let type = SOCK_STREAM
        #endif
        let family = if case .v6 = address { AF_INET6 } else { AF_INET }
        let descriptor = socket(family, type, 0)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
        defer { close(descriptor) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        // Not shared: one that listens is in the way. Connections that were made from the port, or have ended, are not.
        var enabled: CInt = 1
        let size = socklen_t(MemoryLayout<CInt>.size)
        guard setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &enabled, size) == 0,
            family == AF_INET || setsockopt(descriptor, CInt(IPPROTO_IPV6), IPV6_V6ONLY, &enabled, size) == 0
        else { throw IOError(errnoCode: errno, reason: "setsockopt") }
        guard address.withSockAddr({ bind(descriptor, $0, socklen_t($1)) }) == 0 else { throw IOError(errnoCode: errno, reason: "bind") }
    }
}
