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

/// Finds the default routers.
///
/// Linux: `/proc/thread-self/net/route` and `…/ipv6_route`, as the thread of the event loop sees them. Elsewhere the first address of the network of each
/// interface is taken for the IPv4 gateway, which is right for nearly all homes, and IPv6 is left out; configure ``PortMapperConfiguration/Gateways/fixed(_:)``
/// where it is wrong.
enum GatewayDetector {
    /// Ours: of a routing table.
    private static let maximumFileByteCount = 512 * 1024

    /// On `eventLoop`.
    static func detect(_ configuration: PortMapperConfiguration, on eventLoop: any EventLoop) -> EventLoopFuture<[Gateway]> {
        eventLoop.flatSubmit {
            let table = Self.routingTable()
            var found: [(address: IPAddress, interface: String)] = []
            var isFixed = false
            switch configuration.gateways {
            case .automatic:
                if let route = table.default4 { found.append((.v4(route.gateway), route.interface)) }
                if let route = table.default6 { found.append((.v6(route.gateway), route.interface)) }
            case .fixed(let addresses):
                isFixed = true
                for address in addresses {
                    var zone = ""
                    for component in address.components {
                        switch component {
                        case .ip6zone(let name): zone = name
                        case .ip4(let ip): found.append((.v4(ip), zone))
                        case .ip6(let ip): found.append((.v6(ip), zone))
                        default: break
                        }
                    }
                }
            }
            var families = configuration.families
            let wanted = found.filter { families.remove($0.address.family) != nil }
            let mayBePrivate = isFixed
            let gateways = wanted.map { address, interface in
                let provisional = Gateway(address: address, interface: interface, localAddress: address)
                return Self.localAddress(towards: provisional, mayBePrivate: mayBePrivate, policy: configuration.addressPolicy, on: eventLoop)
            }
            return EventLoopFuture.whenAllComplete(gateways, on: eventLoop).map { $0.compactMap { try? $0.get() }.compactMap { $0 } }
        }
    }

    /// The gateway with the address that the system uses to get to it, or for IPv6 to get past it; nil if that is of no use.
    private static func localAddress(
        towards gateway: Gateway, mayBePrivate: Bool, policy: AddressPolicy, on eventLoop: any EventLoop
    ) -> EventLoopFuture<Gateway?> {
        let destination: SocketAddress
        do {
            switch gateway.address {
            case .v4: destination = try SocketAddress(ip: gateway.components, port: 9)
            // Any global address: nothing is sent.
            case .v6(let ip):
                destination =
                    ip.scope == .loopback
                    ? try SocketAddress(ip: gateway.components, port: 9) : try SocketAddress(ip: [.ip6(IPv6Address(high: 0x2000 << 48, low: 1))], port: 9)
            }
        } catch {
            return eventLoop.makeFailedFuture(error)
        }
        return DatagramBootstrap(group: eventLoop).connect(to: destination).flatMap { channel in
            let local = channel.localAddress.flatMap { IPAddress($0) }
            return channel.close().map {
                guard let local, local.family == gateway.family else { return nil }
                // A hole for an address that nobody can reach is no use.
                if case .v6(let ip) = local, !mayBePrivate, !policy.isPublic(ip.scope) { return nil }
                var gateway = gateway
                gateway.localAddress = local
                return gateway
            }
        }
    }

    static func routingTable() -> RoutingTable {
        #if os(Linux)
        return RoutingTable(route4: Self.read("/proc/thread-self/net/route"), route6: Self.read("/proc/thread-self/net/ipv6_route"))
        #else
        return Self.guess()
        #endif
    }

    #if os(Linux)
    private static func readBytes(_ descriptor: CInt, _ base: UnsafeMutableRawPointer, _ count: Int) -> Int {
        #if canImport(Musl)
        Musl.read(descriptor, base, count)
        #else
        Glibc.read(descriptor, base, count)
        #endif
    }

    /// The text of a small file; empty if it cannot be read.
    private static func read(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 * 1024)
        while bytes.count < Self.maximumFileByteCount {
            let count = chunk.withUnsafeMutableBytes { buffer in
                guard let base = buffer.baseAddress else { return 0 }
                return readBytes(descriptor, base, buffer.count)
            }
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
    #else
    private static func guess() -> RoutingTable {
        var table = RoutingTable()
        guard let devices = try? System.enumerateDevices() else { return table }
        for device in devices {
            guard case .ip4(let ip)? = device.address.flatMap({ Multiaddr(ip: $0) })?.components.last,
                case .ip4(let mask)? = device.netmask.flatMap({ Multiaddr(ip: $0) })?.components.last, ip.scope != .loopback, ip.scope != .linkLocal
            else { continue }
            if table.default4 == nil {
                table.default4 = .init(gateway: IPv4Address(rawValue: ip.rawValue & mask.rawValue | 1), interface: device.name, metric: 0)
            }
        }
        return table
    }
    #endif
}
