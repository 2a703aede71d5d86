package import DIGMultiformats
package import NIOCore

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Where things are in `sockaddr_in` and `sockaddr_in6`, the same on Linux and Darwin.
private enum SocketAddressLayout {
    static let ip4 = 4..<8
    static let ip6 = 8..<24
    static let ip6ScopeID = 24
}

extension Multiaddr {
    /// The `/ip4/…` or `/ip6/…` part of a socket's address, with `/ip6zone/…` before a link-local one; nil if it is no IP address.
    package init?(ip address: SocketAddress) {
        let components: [Component]? = address.withSockAddr { pointer, size in
            let bytes = UnsafeRawBufferPointer(start: pointer, count: size)
            switch address {
            case .v4:
                guard size >= SocketAddressLayout.ip4.upperBound else { return nil }
                return IPv4Address(bytes: bytes[SocketAddressLayout.ip4]).map { [.ip4($0)] }
            case .v6:
                guard size >= SocketAddressLayout.ip6ScopeID + 4, let ip = IPv6Address(bytes: bytes[SocketAddressLayout.ip6]) else { return nil }
                let scopeID = bytes.loadUnaligned(fromByteOffset: SocketAddressLayout.ip6ScopeID, as: UInt32.self)
                return scopeID == 0 ? [.ip6(ip)] : [.ip6zone(Self.zone(scopeID)), .ip6(ip)]
            case .unixDomainSocket:
                return nil
            }
        }
        guard let components else { return nil }
        self.init(components: components)
    }

    private static func zone(_ scopeID: UInt32) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(IF_NAMESIZE) + 1) { buffer in
            guard let base = buffer.baseAddress, let name = if_indextoname(scopeID, base) else { return "\(scopeID)" }
            return String(cString: name)
        }
    }
}

extension SocketAddress {
    /// The socket address that `components`, an IP address perhaps behind its zone, and `port` describe.
    ///
    /// - Throws: ``UnknownZone`` if the machine has no interface of that name.
    package init(ip components: some Sequence<Multiaddr.Component>, port: UInt16) throws {
        var zone: String?
        for component in components {
            switch component {
            case .ip6zone(let name):
                zone = name
            case .ip4(let ip):
                self = try SocketAddress(packedIPAddress: ByteBuffer(bytes: ip.bytes), port: Int(port))
                return
            case .ip6(let ip):
                self = try SocketAddress(packedIPAddress: ByteBuffer(bytes: ip.bytes), port: Int(port))
                if let zone, case .v6(let address) = self {
                    var raw = address.address
                    let scopeID = UInt32(zone) ?? if_nametoindex(zone)
                    guard scopeID != 0 else { throw UnknownZone(name: zone) }
                    withUnsafeMutableBytes(of: &raw) {
                        $0.storeBytes(of: scopeID, toByteOffset: SocketAddressLayout.ip6ScopeID, as: UInt32.self)
                    }
                    self = SocketAddress(raw)
                }
                return
            default:
                throw SocketAddressError.unsupported
            }
        }
        throw SocketAddressError.unsupported
    }

    /// `/ip6zone/…` names an interface that the machine does not have.
    package struct UnknownZone: Error, Hashable, CustomStringConvertible {
        package var name: String
        package var description: String { "no network interface is named \(self.name)" }
    }
}

extension Multiaddr {
    /// `/ip4/…/tcp/…` or `/ip6/…/tcp/…`; nil if `address` has no port.
    package init?(tcp address: SocketAddress) {
        guard let ip = Multiaddr(ip: address), let port = address.port.flatMap({ UInt16(exactly: $0) }) else { return nil }
        self = ip.encapsulating(.tcp(port))
    }
}
