public import DIGMultiformats
public import DIGNet

/// What others report to see of this node, and what may be concluded from it.
///
/// One report is a claim. An address counts when several distinct networks have reported it for the same local address, lately or over
/// connections that are still open. Anything else is ignored: relayed and private observers' addresses, addresses that are not public, and what
/// was seen of a port that nobody listens on tells the IP address only.
public struct ObservedAddresses: Sendable {
    public typealias Instant = ContinuousClock.Instant

    private struct Observation {
        var connection: ConnectionID
        var network: HostNetwork
        var observer: Multiaddr
        var role: ConnectionRole
        var local: TransportEndpoint
        var external: TransportEndpoint
        /// When its connection ended; nil while it is open.
        var endedAt: Instant?
    }

    private let configuration: ObservedAddressesConfiguration
    private let isPublic: @Sendable (Multiaddr) -> Bool
    private var listenAddresses: [Multiaddr] = []
    /// The oldest first.
    private var observations: [Observation] = []

    /// - Parameter isPublic: Which addresses are of interest, and whose word counts.
    public init(
        configuration: ObservedAddressesConfiguration = .init(), isPublic: @escaping @Sendable (Multiaddr) -> Bool = { AddressPolicy().isPublic($0) }
    ) {
        self.configuration = configuration
        self.isPublic = isPublic
    }

    // MARK: Inputs

    /// - Parameter addresses: With the addresses of interfaces in place of wildcards, or with wildcards.
    public mutating func listenAddressesChanged(_ addresses: [Multiaddr]) {
        self.listenAddresses = addresses.map { Multiaddr(components: $0.components.filter { if case .p2p = $0 { false } else { true } }) }
    }

    /// The machine is in another network: nothing that was seen before holds.
    public mutating func networkChanged() {
        self.observations.removeAll()
    }

    /// A peer says where it sees this node.
    ///
    /// - Parameters:
    ///   - address: What the peer sees, as in identify.
    ///   - connection: Over which it says so; what it said before over the same one is replaced.
    ///   - local: This end of the connection.
    ///   - remote: The peer's end.
    ///   - role: This node's: of a dial, the peer sees what a NAT has made of the port it left from.
    /// - Returns: Whether the observation counts.
    @discardableResult
    public mutating func observed(
        _ address: Multiaddr, over connection: ConnectionID, local: Multiaddr?, remote: Multiaddr, role: ConnectionRole, now: Instant
    ) -> Bool {
        guard let external = TransportEndpoint(address), let local = local.flatMap(TransportEndpoint.init), external.port != 0,
            let observer = TransportEndpoint(remote)?.host, self.isPublic(address), self.isPublic(remote),
            external.transport == local.transport, external.host.isIPv4 == local.host.isIPv4
        else { return false }
        // A NAT64 address belongs to the observer's network (RFC 6052 §2.1).
        if case .ip6(let ip) = external.host, ip.embeddedIPv4 != nil { return false }
        self.forget(now: now)
        let network = HostNetwork(
            observer, ipv4PrefixLength: self.configuration.ipv4PrefixLength, ipv6PrefixLength: self.configuration.ipv6PrefixLength)
        // The newest view counts: of the same connection, of the same observer, and of the same network once our IP address is another.
        self.observations.removeAll { old in
            if old.connection == connection { return true }
            guard old.network == network, old.external.host.isIPv4 == external.host.isIPv4 else { return false }
            if old.local == local, old.role == role, old.observer == remote || old.external.host != external.host { return true }
            return old.endedAt != nil && old.external.host != external.host
        }
        while self.observations.count >= max(1, self.configuration.maximumObservations) {
            self.observations.remove(at: self.observations.firstIndex { $0.endedAt != nil } ?? 0)
        }
        self.observations.append(
            Observation(connection: connection, network: network, observer: remote, role: role, local: local, external: external))
        return true
    }

    public mutating func connectionClosed(_ connection: ConnectionID, now: Instant) {
        for index in self.observations.indices where self.observations[index].connection == connection && self.observations[index].endedAt == nil {
            self.observations[index].endedAt = now
        }
        self.forget(now: now)
    }

    private mutating func forget(now: Instant) {
        self.observations.removeAll { observation in
            observation.endedAt.map { now - $0 >= self.configuration.memory } ?? false
        }
    }

    /// The number of observations kept.
    var count: Int { self.observations.count }

    // MARK: Conclusions

    /// The addresses that enough networks have seen, best first for each listen address, and guesses after them.
    public mutating func externalAddresses(now: Instant) -> [ExternalAddress] {
        self.forget(now: now)
        var result: [ExternalAddress] = []
        var known: Set<Multiaddr> = []
        for listenAddress in self.listenAddresses {
            guard let listening = TransportEndpoint(listenAddress) else { continue }
            var seenBy: [TransportEndpoint: Set<HostNetwork>] = [:]
            for observation in self.observations where observation.local.isCovered(by: listening) {
                seenBy[observation.external, default: []].insert(observation.network)
            }
            let confirmed = seenBy.filter { $0.value.count >= self.configuration.minimumObservers }
                .map { ($0.key, $0.value.count) }
                .sorted { ($1.1, "\($0.0.host)", $0.0.port) < ($0.1, "\($1.0.host)", $1.0.port) }
            for (external, observerCount) in confirmed.prefix(self.configuration.maximumAddressesPerListenAddress) {
                let address = external.address(like: listenAddress)
                guard known.insert(address).inserted else { continue }
                result.append(ExternalAddress(address: address, listenAddress: listenAddress, basis: .observed, observerCount: observerCount))
            }
        }
        for (host, observerCount) in self.externalHosts {
            for listenAddress in self.listenAddresses {
                guard let listening = TransportEndpoint(listenAddress), listening.host.isIPv4 == host.isIPv4, !self.isLoopback(listening.host) else { continue }
                let address = TransportEndpoint(host: host, transport: listening.transport, port: listening.port).address(like: listenAddress)
                guard known.insert(address).inserted else { continue }
                result.append(ExternalAddress(address: address, listenAddress: listenAddress, basis: .guessed, observerCount: observerCount))
            }
        }
        return result
    }

    private func isLoopback(_ host: HostAddress) -> Bool {
        switch host {
        case .ip4(let ip): ip.scope == .loopback && !self.isPublic(Multiaddr(components: [host.component]))
        case .ip6(let ip): ip.scope == .loopback && !self.isPublic(Multiaddr(components: [host.component]))
        }
    }

    /// The IP addresses, whatever the port, that enough networks have seen, those that most have seen first.
    private var externalHosts: [(HostAddress, Int)] {
        var seenBy: [HostAddress: Set<HostNetwork>] = [:]
        for observation in self.observations { seenBy[observation.external.host, default: []].insert(observation.network) }
        return seenBy.filter { $0.value.count >= self.configuration.minimumObservers }
            .map { ($0.key, $0.value.count) }
            .sorted { ($1.1, "\($0.0)") < ($0.1, "\($1.0)") }
            .prefix(self.configuration.maximumAddressesPerListenAddress).map { $0 }
    }

    /// How a NAT maps the connections that this node dials from a port it listens on.
    public mutating func tcpMapping(now: Instant) -> TCPMapping {
        self.forget(now: now)
        let listening = self.listenAddresses.compactMap(TransportEndpoint.init)
        let dials = self.observations.reversed().filter { observation in
            observation.role == .dialer && observation.local.transport == .tcp && listening.contains { observation.local.isCovered(by: $0) }
        }
        let evidence = dials.prefix(TCPMapping.maximumEvidence).map {
            TCPMapping.Evidence(
                observer: $0.observer, local: Multiaddr(components: $0.local.components), external: Multiaddr(components: $0.external.components))
        }
        // Each of our ports is mapped by itself; the one that most have seen says most.
        var behavior = TCPMapping.Behavior.unknown
        var mostObservers = 0
        for (local, views) in Dictionary(grouping: dials, by: \.local) {
            let observerCount = Set(views.map(\.network)).count
            guard observerCount >= max(2, self.configuration.minimumMappingObservers), observerCount > mostObservers else { continue }
            mostObservers = observerCount
            let seenBy = Dictionary(grouping: views, by: \.external).mapValues { Set($0.map(\.network)).count }
            let largest = seenBy.max { $0.value < $1.value }
            if let largest, largest.key == local, largest.value * 2 > observerCount {
                behavior = .untranslated
            } else if let largest, largest.value * 2 > observerCount {
                behavior = .endpointIndependent
            } else if seenBy.count * 2 > observerCount {
                behavior = .endpointDependent
            } else {
                behavior = .unknown
            }
        }
        return TCPMapping(behavior: behavior, evidence: Array(evidence))
    }
}
