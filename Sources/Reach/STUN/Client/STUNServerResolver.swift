import NIOCore
import NIOPosix

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Asks the system's resolver (`getaddrinfo`) on a thread pool, because it blocks.
enum STUNServerResolver {
    /// The first IPv4 and the first IPv6 address of a server, in the system's order.
    ///
    /// - Throws: ``STUNError`` with `.unresolved`.
    static func resolve(_ server: STUNServerAddress) async throws -> [SocketAddress] {
        if let address = try? SocketAddress(ipAddress: server.host, port: Int(server.port)) { return [address] }
        return try await NIOThreadPool.singleton.runIfActive {
            var hints = addrinfo()
            #if os(Linux)
            hints.ai_socktype = CInt(SOCK_DGRAM.rawValue)
            #else
            hints.ai_socktype = SOCK_DGRAM
            #endif
            var list: UnsafeMutablePointer<addrinfo>?
            let code = getaddrinfo(server.host, nil, &hints, &list)
            guard code == 0 else { throw STUNError(.unresolved, "\(server.host) can't be resolved: \(String(cString: gai_strerror(code)))") }
            defer { freeaddrinfo(list) }

            var addresses: [SocketAddress] = []
            var next = list
            while let entry = next {
                next = entry.pointee.ai_next
                guard let raw = UnsafeRawPointer(entry.pointee.ai_addr) else { continue }
                var address: SocketAddress
                switch entry.pointee.ai_family {
                case AF_INET: address = SocketAddress(raw.loadUnaligned(as: sockaddr_in.self))
                case AF_INET6: address = SocketAddress(raw.loadUnaligned(as: sockaddr_in6.self))
                default: continue
                }
                address.port = Int(server.port)
                if !addresses.contains(where: { $0.protocol == address.protocol }) { addresses.append(address) }
            }
            guard !addresses.isEmpty else { throw STUNError(.unresolved, "\(server.host) has no IP address") }
            return addresses
        }
    }
}
