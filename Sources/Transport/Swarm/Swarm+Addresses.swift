public import DIGMultiformats
import DIGIdentity
import DIGNet
import NIOCore
import Synchronization

extension Swarm {
    /// Ours: who may add addresses of its own.
    private static let maximumAdvertisers = 32

    /// Where others can reach this node: ``listenAddresses`` and what ``setAdvertised(_:by:)`` added, without `/p2p/…` at their ends and
    /// without duplicates.
    ///
    /// Public addresses come first, then relayed, private and loopback ones; at most ``SwarmConfiguration/maximumAnnouncedAddresses``.
    public var announcedAddresses: [Multiaddr] {
        let listening = self.listenAddresses
        let advertised = self.state.withLock { state in state.advertised.sorted { $0.key < $1.key }.flatMap(\.value) }
        var seen: Set<Multiaddr> = []
        var ranks: [[Multiaddr]] = [[], [], [], []]
        for address in listening + advertised where seen.insert(address).inserted {
            let rank =
                if address.components.contains(.p2pCircuit) {
                    1
                } else if self.configuration.addressPolicy.isPublic(address) {
                    0
                } else {
                    address.isLoopback ? 3 : 2
                }
            ranks[rank].append(address)
        }
        return Array(ranks.joined().prefix(max(0, self.configuration.maximumAnnouncedAddresses)))
    }

    /// Announces `addresses` beside the ones listened on, in place of those that `source` gave before: what a router maps, what relays
    /// offer, what peers have proven. Connected peers are told soon.
    ///
    /// - Parameters:
    ///   - addresses: With or without this node's `/p2p/…`. More than ``SwarmConfiguration/maximumAnnouncedAddresses`` are left out.
    ///   - source: Says whose they are, such as `port-mapping`. At most 32 sources are kept; those beyond are ignored.
    public func setAdvertised(_ addresses: [Multiaddr], by source: String) {
        let addresses = addresses.prefix(max(0, self.configuration.maximumAnnouncedAddresses)).map { $0.removingPeerID() }
        self.state.withLock { state in
            if addresses.isEmpty {
                state.advertised[source] = nil
            } else if state.advertised[source] != nil || state.advertised.count < Self.maximumAdvertisers {
                state.advertised[source] = addresses
            }
        }
        self.addressesMayHaveChanged()
    }

    /// Tells everyone if ``announcedAddresses`` differs from what was told last.
    func addressesMayHaveChanged() {
        let hasChanged = self.announced.withLock { announced in
            let current = self.announcedAddresses
            guard current != announced else { return false }
            announced = current
            return true
        }
        guard hasChanged else { return }
        self.hub.emit(.listenAddressesChanged)
        self.schedulePush()
    }

    /// Looks at the machine's interfaces from time to time, if what they are matters.
    func watchInterfaces() {
        let interval = TimeAmount(self.configuration.interfacePollInterval)
        guard interval > .zero else { return }
        self.state.withLock { state in
            guard !state.isClosed, state.interfacePoll == nil, state.listeners.contains(where: { $0.address.isWildcard }) else { return }
            state.interfacePoll = self.group.next().scheduleRepeatedTask(initialDelay: interval, delay: interval) { [weak self] _ in
                self?.addressesMayHaveChanged()
            }
        }
    }
}

extension SwarmConfiguration {
    /// The IP addresses of the machine's interfaces, without those that need a zone.
    package static func systemInterfaceAddresses() -> [Multiaddr.Component] {
        let devices: [NIONetworkDevice]
        do { devices = try System.enumerateDevices() } catch { return [] }
        return devices.compactMap { device in
            guard let ip = device.address.flatMap({ Multiaddr(ip: $0) }), ip.components.count == 1 else { return nil }
            return ip.components.first
        }
    }
}

extension Multiaddr {
    /// Stands for every address of the machine, of one family.
    var isWildcard: Bool { self.components.first == .ip4(.any) || self.components.first == .ip6(.any) }

    var isLoopback: Bool {
        switch self.components.first {
        case .ip4(let ip): ip.scope == .loopback
        case .ip6(let ip): ip.scope == .loopback
        default: false
        }
    }

    /// This address with each of `interfaces` of its family in place of a wildcard.
    func expanded(to interfaces: [Component]) -> [Multiaddr] {
        guard self.isWildcard else { return [self] }
        let isIP4 = self.components.first == .ip4(.any)
        return interfaces.compactMap { ip in
            switch ip {
            case .ip4 where isIP4, .ip6 where !isIP4: Multiaddr(components: [ip] + self.components.dropFirst())
            default: nil
            }
        }
    }
}
