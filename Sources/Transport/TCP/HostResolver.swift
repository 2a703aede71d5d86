package import NIOCore
import NIOPosix

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Asks the system's resolver (`getaddrinfo`) on threads of its own, because it blocks: for as long as the slowest name of a stranger takes, and
/// meanwhile files have to be read.
package enum HostResolver {
    private static let threads: NIOThreadPool = {
        let pool = NIOThreadPool(numberOfThreads: 4)
        pool.start()
        return pool
    }()

    /// Which addresses of a name are wanted.
    package enum AddressFamily: Hashable, Sendable {
        case any, v4, v6
    }

    /// Every address that `name` has, in the system's order (RFC 6724), without duplicates and with port 0.
    ///
    /// - Throws: ``HostResolutionError``.
    package static func resolve(_ name: String, family: AddressFamily) async throws -> [SocketAddress] {
        try await Self.threads.runIfActive {
            var hints = addrinfo()
            hints.ai_family =
                switch family {
                case .any: AF_UNSPEC
                case .v4: AF_INET
                case .v6: AF_INET6
                }
            var list: UnsafeMutablePointer<addrinfo>?
            let code = getaddrinfo(name, nil, &hints, &list)
            guard code == 0 else { throw HostResolutionError(name: name, reason: String(cString: gai_strerror(code))) }
            defer { freeaddrinfo(list) }

            var addresses: [SocketAddress] = []
            var next = list
            while let entry = next {
                next = entry.pointee.ai_next
                guard let raw = UnsafeRawPointer(entry.pointee.ai_addr) else { continue }
                let address: SocketAddress
                switch entry.pointee.ai_family {
                case AF_INET: address = SocketAddress(raw.loadUnaligned(as: sockaddr_in.self))
                case AF_INET6: address = SocketAddress(raw.loadUnaligned(as: sockaddr_in6.self))
                default: continue
                }
                if !addresses.contains(address) { addresses.append(address) }
            }
            guard !addresses.isEmpty else { throw HostResolutionError(name: name, reason: "no address of this family") }
            return addresses
        }
    }
}

/// A host name has no address, or nobody could be asked.
public struct HostResolutionError: Error, Hashable, CustomStringConvertible {
    public var name: String
    /// The resolver's words.
    public var reason: String
    public var description: String { "\(self.name) can't be resolved: \(self.reason)" }
}
