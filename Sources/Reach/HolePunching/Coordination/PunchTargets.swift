import DIGMultiformats
import Synchronization

/// Whom the punches under way aim at: no more than so many at one machine.
final class PunchTargets: Sendable {
    private enum Host: Hashable {
        case ip4(IPv4Address)
        /// A network of 64 bits.
        case ip6(UInt64)

        init?(_ address: Multiaddr) {
            switch address.components.first {
            case .ip4(let ip): self = .ip4(ip)
            case .ip6(let ip): self = ip.mappedIPv4.map { .ip4($0) } ?? .ip6(ip.high)
            default: return nil
            }
        }
    }

    private let maximumPerHost: Int
    private let counts = Mutex<[Host: Int]>([:])

    init(maximumPerHost: Int) { self.maximumPerHost = maximumPerHost }

    /// Those of `addresses` at which one more punch may aim. It counts at each of their machines until they are ``release(_:)``d.
    func take(_ addresses: [Multiaddr]) -> [Multiaddr] {
        self.counts.withLock { counts in
            let free = addresses.filter { address in Host(address).map { counts[$0, default: 0] < self.maximumPerHost } ?? false }
            for host in Set(free.compactMap(Host.init)) { counts[host, default: 0] += 1 }
            return free
        }
    }

    /// - Parameter addresses: What ``take(_:)`` gave.
    func release(_ addresses: [Multiaddr]) {
        self.counts.withLock { counts in
            for host in Set(addresses.compactMap(Host.init)) {
                let count = counts[host, default: 0] - 1
                counts[host] = count > 0 ? count : nil
            }
        }
    }

    /// Machines aimed at.
    var count: Int { self.counts.withLock { $0.count } }
}
