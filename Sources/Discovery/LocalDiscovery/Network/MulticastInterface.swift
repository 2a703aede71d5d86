import DIGMultiformats
import DIGNet
import NIOCore

/// One address family of one of the machine's interfaces.
struct MulticastInterface: Hashable, Sendable, CustomStringConvertible {
    /// The interface's own address.
    enum Address: Hashable, Sendable {
        case ip4(IPv4Address)
        /// Link-local.
        case ip6(IPv6Address)
    }

    /// Ours: more interfaces than this are not served.
    static let maximumCount = 16

    /// RFC 6762 §3: 224.0.0.251 and ff02::fb.
    static let group4 = IPv4Address(224, 0, 0, 251)
    static let group6 = IPv6Address(high: 0xff02 << 48, low: 0xfb)

    var device: NIONetworkDevice
    var address: Address
    var isLoopback: Bool

    var name: String { self.device.name }

    var description: String {
        switch self.address {
        case .ip4(let ip): "\(self.name) \(ip)"
        case .ip6(let ip): "\(self.name) \(ip)"
        }
    }

    /// A port of our own on the interface, to be chosen by the system.
    func ownAddress() throws -> SocketAddress {
        switch self.address {
        case .ip4(let ip): try SocketAddress(ip: [.ip4(ip)], port: 0)
        case .ip6(let ip): try SocketAddress(ip: [.ip6zone(self.name), .ip6(ip)], port: 0)
        }
    }

    /// Where messages go; for IPv6 the group on this interface.
    func groupAddress(port: UInt16) throws -> SocketAddress {
        switch self.address {
        case .ip4: try SocketAddress(ip: [.ip4(Self.group4)], port: port)
        case .ip6: try SocketAddress(ip: [.ip6zone(self.name), .ip6(Self.group6)], port: port)
        }
    }

    /// The interfaces of this machine that `selection` wants, and the networks that the machine is part of.
    static func all(
        _ selection: LocalDiscoveryConfiguration.Interfaces
    ) throws -> (chosen: [MulticastInterface], networks: LocalNetworks) {
        var loopbacks: [MulticastInterface] = []
        var others: [MulticastInterface] = []
        var networks = LocalNetworks()
        // One socket for each interface and family is enough, however many addresses it has.
        var families = Set<String>()
        for device in try System.enumerateDevices() {
            guard let socketAddress = device.address, let components = Multiaddr(ip: socketAddress)?.components else { continue }
            networks.add(socketAddress, mask: device.netmask, interface: device.name)
            switch components.last {
            case .ip4(let ip) where ip.scope == .loopback:
                guard families.insert("4 \(device.name)").inserted else { continue }
                loopbacks.append(MulticastInterface(device: device, address: .ip4(ip), isLoopback: true))
            case .ip4(let ip) where device.multicastSupported:
                guard families.insert("4 \(device.name)").inserted else { continue }
                others.append(MulticastInterface(device: device, address: .ip4(ip), isLoopback: false))
            case .ip6(let ip) where device.multicastSupported && ip.scope == .linkLocal:
                guard families.insert("6 \(device.name)").inserted else { continue }
                others.append(MulticastInterface(device: device, address: .ip6(ip), isLoopback: false))
            default:
                continue
            }
        }
        let chosen =
            switch selection {
            case .automatic: others.isEmpty ? loopbacks : others
            case .loopback: loopbacks
            case .named(let names): (others + loopbacks).filter { names.contains($0.name) }
            }
        return (Array(chosen.prefix(Self.maximumCount)), networks)
    }
}
