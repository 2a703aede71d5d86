public import DIGIdentity
public import DIGMultiformats
public import DIGNet

/// Decides which server to ask about which address, and what the answers amount to.
///
/// After every input, call ``poll(now:)`` until it returns nil, perform each probe and report it with ``finished(_:_:now:)``; call again when
/// ``deadline(now:)`` comes. One probe runs at a time.
///
/// ```
/// unknown ──lead of enough servers──▶ reachable / unreachable ──every 15…60 min──▶ confirmed, or doubted: asks on, every few seconds
///    ▲                                        │
///    └────────── the network changed ─────────┘        a decision stands until servers outvote it by as many
/// ```
public struct ReachabilityTracker: Sendable {
    public typealias Instant = ContinuousClock.Instant

    private struct Vote {
        var network: HostNetwork
        var seen: ReachabilitySnapshot.Vote
    }

    private struct Record {
        var external: ExternalAddress
        var state = AddressReachability.unknown
        /// Somebody unknown to a NAT got through.
        var isIndependent = false
        var votes: [Vote] = []
        var refusedBy: Set<HostNetwork> = []
        var nextCheck: Instant
        var sureInterval: Duration

        /// Whom this node had sent something got through, whom it had not did not: a NAT that filters by address (RFC 4787 §5). However many of
        /// the former there are, they say nothing about everybody.
        var isClosedToStrangers: Bool {
            guard !self.isIndependent, self.external.basis > .mapped else { return false }
            let strangers = self.votes.filter(\.seen.isStranger)
            return !strangers.isEmpty && !strangers.contains(where: \.seen.isReachable)
                && self.votes.contains { $0.seen.isReachable && !$0.seen.isStranger }
        }
    }

    private struct Server {
        var address: Multiaddr
        var network: HostNetwork
        var version: AutoNAT.Version
        var readyAt: Instant
        var failures = 0
    }

    /// Votes kept of one address: as many networks.
    static let maximumVotes = 16
    /// Failures in a row after which a server of version 2 is no reason not to ask those of version 1.
    private static let hopelessFailures = 3

    private let configuration: ReachabilityConfiguration
    /// In order of promise.
    private var records: [Record] = []
    private var listening: [TransportEndpoint] = []
    private var servers: [PeerID: Server] = [:]
    /// Hosts that this node has sent something to from a port it listens on, with the last time. A NAT may let them in.
    private var contacts: [HostAddress: Instant] = [:]
    private var inFlight: ReachabilityProbe?
    private var nextProbeID: UInt64 = 0

    public init(configuration: ReachabilityConfiguration = .init()) {
        self.configuration = configuration
    }

    // MARK: Inputs

    /// The addresses at which this node may be reachable. What is known of those that stay is kept; new ones are asked about at once.
    ///
    /// - Parameter listening: Where this node listens, all of it.
    public mutating func candidatesChanged(_ candidates: [ExternalAddress], listening: [Multiaddr], now: Instant) {
        self.listening = listening.compactMap(TransportEndpoint.init)
        var seen: Set<Multiaddr> = []
        let wanted = candidates.enumerated().sorted { ($0.element.basis, $0.offset) < ($1.element.basis, $1.offset) }.map(\.element)
            .filter { seen.insert($0.address).inserted }.prefix(self.configuration.maximumAddresses)
        self.records = wanted.map { external in
            guard var record = self.records.first(where: { $0.external.address == external.address }) else {
                return Record(external: external, nextCheck: now, sureInterval: self.configuration.minimumSureInterval)
            }
            record.external = external
            return record
        }
    }

    /// A peer that may be asked is connected, or says that it speaks something else.
    ///
    /// - Parameters:
    ///   - address: Its end of a direct connection. One that is not public proves nothing: the peer may be behind the same NAT.
    ///   - protocols: What it answers; it is forgotten if AutoNAT is not among it.
    public mutating func serverAvailable(_ peer: PeerID, address: Multiaddr, protocols: [ProtocolID], now: Instant) {
        let version: AutoNAT.Version
        if protocols.contains(AutoNAT.dialRequestProtocolID) {
            version = .v2
        } else if protocols.contains(AutoNAT.protocolID) {
            version = .v1
        } else {
            return self.serverGone(peer)
        }
        guard let endpoint = TransportEndpoint(address), self.configuration.isPublic(address) else { return self.serverGone(peer) }
        if let known = self.servers[peer], known.version == version, known.network == self.network(endpoint.host) {
            self.servers[peer]?.address = address
            return
        }
        guard self.servers[peer] != nil || self.servers.count < self.configuration.maximumServers else { return }
        self.servers[peer] = Server(address: address, network: self.network(endpoint.host), version: version, readyAt: now)
        // One more opinion is welcome where there is doubt.
        for index in self.records.indices where !self.isSure(self.records[index], now: now) {
            self.records[index].nextCheck = min(self.records[index].nextCheck, now)
        }
    }

    public mutating func serverGone(_ peer: PeerID) {
        self.servers[peer] = nil
    }

    /// A connection was made.
    ///
    /// One from outside by somebody to whom nothing was sent before proves that everybody gets in there.
    public mutating func connectionOpened(role: ConnectionRole, local: Multiaddr?, remote: Multiaddr, now: Instant) {
        guard let remote = TransportEndpoint(remote), let local = local.flatMap(TransportEndpoint.init),
            self.configuration.isPublic(Multiaddr(components: remote.components))
        else { return }
        if role == .listener, self.contacts[remote.host] == nil {
            for index in self.records.indices {
                guard let listening = TransportEndpoint(self.records[index].external.listenAddress), local.isCovered(by: listening) else { continue }
                self.records[index].isIndependent = true
            }
        }
        if self.listening.contains(where: { local.isCovered(by: $0) }) { self.contacted(remote.host, now: now) }
    }

    /// This node sends something to `address` from a port that it listens on, as for a punch: a NAT may let that host in from then on.
    public mutating func contacting(_ address: Multiaddr, now: Instant) {
        if let host = HostAddress(address) { self.contacted(host, now: now) }
    }

    private mutating func contacted(_ host: HostAddress, now: Instant) {
        self.contacts[host] = now
        guard self.contacts.count > max(1, self.configuration.maximumContacts), let oldest = self.contacts.min(by: { $0.value < $1.value }) else { return }
        self.contacts[oldest.key] = nil
    }

    /// The machine is in another network: nothing that was known holds.
    public mutating func networkChanged(now: Instant) {
        for index in self.records.indices {
            self.records[index] = Record(
                external: self.records[index].external, nextCheck: now, sureInterval: self.configuration.minimumSureInterval)
        }
        self.contacts.removeAll()
        self.inFlight = nil
    }

    // MARK: Asking

    /// The next question to ask, if it is time.
    public mutating func poll(now: Instant) -> ReachabilityProbe? {
        guard self.inFlight == nil else { return nil }
        let version = self.versionInUse
        while let first = self.records.indices.filter({ self.records[$0].nextCheck <= now }).min(by: { self.records[$0].nextCheck < self.records[$1].nextCheck }) {
            let willing = self.servers.filter { $0.value.version == version && !self.records[first].refusedBy.contains($0.value.network) }
            guard !willing.isEmpty else {
                guard self.servers.contains(where: { $0.value.version == version }) else { return nil }
                // Nobody dials it. Perhaps others come.
                self.records[first].refusedBy.removeAll()
                self.records[first].nextCheck = now + self.configuration.retryInterval
                continue
            }
            let votes = self.records[first].votes
            // Who has something new to say is waited for: what the others say again decides nothing.
            let unheard = willing.values.filter { server in
                server.failures == 0 && !votes.contains { $0.network == server.network && now - $0.seen.at < self.configuration.retryInterval }
            }
            if let readyAt = unheard.map(\.readyAt).min(), readyAt > now {
                self.records[first].nextCheck = readyAt
                continue
            }
            // A new opinion is worth more than an old one renewed; the order of ids makes it repeatable.
            let ready = willing.filter { $0.value.readyAt <= now }.map { (peer, server) in
                (votes.last { $0.network == server.network }?.seen.at, peer, server)
            }.min { lhs, rhs in
                switch (lhs.0, rhs.0) {
                case (nil, nil): lhs.1 < rhs.1
                case (nil, _): true
                case (_, nil): false
                case (let left?, let right?): (left, lhs.1) < (right, rhs.1)
                }
            }
            guard let (_, peer, server) = ready else { return nil }
            return self.probe(peer, server, about: first, now: now)
        }
        return nil
    }

    private mutating func probe(_ peer: PeerID, _ server: Server, about first: Int, now: Instant) -> ReachabilityProbe {
        let host = HostAddress(self.records[first].external.address)
        let others = self.records.indices.filter { index in
            let record = self.records[index]
            return index != first && record.nextCheck <= now && !record.refusedBy.contains(server.network)
                && (server.version == .v2 || HostAddress(record.external.address) == host)
                // It would dial that once more in place of the one it has not been heard about.
                && !record.votes.contains { $0.network == server.network && now - $0.seen.at < self.configuration.retryInterval }
        }
        // The server dials the first that it is willing to: the most promising come first, the rest is still due afterwards.
        let targets = ([first] + others).sorted().prefix(max(1, self.configuration.maximumTargets)).map { index in
            let external = self.records[index].external
            return AutoNATv2Target(
                address: external.address, listenAddress: external.listenAddress, isWorthDialData: external.basis != .guessed)
        }
        self.nextProbeID += 1
        let probe = ReachabilityProbe(
            id: self.nextProbeID, server: peer, serverAddress: server.address, version: server.version, targets: Array(targets))
        self.inFlight = probe
        return probe
    }

    /// Version 1 is for networks where nobody answers version 2.
    private var versionInUse: AutoNAT.Version {
        self.servers.values.contains { $0.version == .v2 && $0.failures < Self.hopelessFailures }
            || !self.servers.values.contains { $0.version == .v1 } ? .v2 : .v1
    }

    /// When to call ``poll(now:)`` again; nil: after the next input.
    public func deadline(now: Instant) -> Instant? {
        guard self.inFlight == nil, let next = self.records.map(\.nextCheck).min() else { return nil }
        let version = self.versionInUse
        guard let ready = self.servers.values.filter({ $0.version == version }).map(\.readyAt).min() else { return nil }
        if next > now || ready > now { return max(next, ready) }
        // Something is due and a server is ready, but not the right one.
        return self.servers.values.filter { $0.version == version && $0.readyAt > now }.map(\.readyAt).min()
    }

    /// What came of a probe. One that was begun before the network changed is not taken.
    public mutating func finished(_ probe: ReachabilityProbe, _ outcome: ReachabilityProbe.Outcome, now: Instant) {
        guard self.inFlight?.id == probe.id else { return }
        self.inFlight = nil
        guard let endpoint = TransportEndpoint(probe.serverAddress) else { return }
        let network = self.network(endpoint.host)
        let spacing = probe.version == .v2 ? self.configuration.serverSpacing : self.configuration.v1ServerSpacing
        if case .failed = outcome {
            let failures = (self.servers[probe.server]?.failures ?? 0) + 1
            let backoff = self.configuration.serverBackoff * (1 << min(failures - 1, 16))
            self.servers[probe.server]?.failures = failures
            self.servers[probe.server]?.readyAt = now + min(backoff, self.configuration.maximumServerBackoff)
            return
        }
        self.servers[probe.server]?.failures = 0
        self.servers[probe.server]?.readyAt = now + spacing

        let refused: [Multiaddr]
        switch outcome {
        case .reachable(let address, let from):
            // Whoever the NAT knew before proves nothing about those it does not know, nor does whoever is behind it too.
            let origin = from ?? probe.serverAddress
            let isStranger = self.isStranger(origin)
            self.vote(on: address, true, probe, network, isStranger: isStranger, now: now)
            if HostAddress(origin) != nil, let index = self.index(of: address), isStranger || self.records[index].external.basis <= .mapped {
                self.records[index].isIndependent = true
            }
            refused = self.passedOver(by: probe, answering: [address])
        case .unreachable(let addresses):
            let isStranger = self.isStranger(probe.serverAddress)
            for address in addresses { self.vote(on: address, false, probe, network, isStranger: isStranger, now: now) }
            refused = self.passedOver(by: probe, answering: addresses)
        case .refused(let addresses):
            refused = addresses
        case .failed:
            refused = []
        }
        for address in refused {
            guard let index = self.index(of: address) else { continue }
            self.records[index].refusedBy.insert(network)
            self.records[index].nextCheck = now + self.configuration.unsureInterval
        }
    }

    /// Whether nothing was sent to that host from a port listened on, so that no NAT knows it.
    private func isStranger(_ address: Multiaddr) -> Bool {
        guard let host = HostAddress(address) else { return false }
        return self.contacts[host] == nil && self.configuration.isPublic(address)
    }

    /// The targets before the one that the server chose, or all when it speaks of something else: it does not dial them.
    private func passedOver(by probe: ReachabilityProbe, answering addresses: [Multiaddr]) -> [Multiaddr] {
        let targets = probe.targets.map(\.address)
        guard probe.version == .v2 else { return targets.contains(where: addresses.contains) ? [] : targets }
        return Array(targets.prefix { !addresses.contains($0) })
    }

    private func index(of address: Multiaddr) -> Int? { self.records.firstIndex { $0.external.address == address } }

    private func network(_ host: HostAddress) -> HostNetwork {
        HostNetwork(
            host, ipv4PrefixLength: self.configuration.observed.ipv4PrefixLength, ipv6PrefixLength: self.configuration.observed.ipv6PrefixLength)
    }

    // MARK: Deciding

    private mutating func vote(
        on address: Multiaddr, _ isReachable: Bool, _ probe: ReachabilityProbe, _ network: HostNetwork, isStranger: Bool, now: Instant
    ) {
        guard let index = self.index(of: address) else { return }
        var record = self.records[index]
        let wasSure = self.isSure(record, now: now)
        record.refusedBy.remove(network)
        record.votes.removeAll { $0.network == network || now - $0.seen.at >= self.configuration.voteLifetime }
        if record.votes.count >= Self.maximumVotes { record.votes.removeFirst() }
        record.votes.append(
            Vote(
                network: network,
                seen: .init(
                    server: probe.server, serverAddress: probe.serverAddress, isReachable: isReachable, isStranger: isStranger, version: probe.version,
                    at: now)))
        let (lead, needed) = self.lead(of: record, now: now)
        if lead >= needed {
            if !record.state.isReachable { record.state = .reachable(since: now) }
        } else if -lead >= needed {
            if !record.state.isUnreachable { record.state = .unreachable(since: now) }
            record.isIndependent = false
        }
        if self.isSure(record, now: now) {
            if wasSure { record.sureInterval = min(record.sureInterval * 2, self.configuration.maximumSureInterval) }
            record.nextCheck = now + record.sureInterval
        } else {
            record.sureInterval = self.configuration.minimumSureInterval
            // The next server that has something new to say; a server that has just failed may take its time.
            let newOpinionAt = self.servers.values.filter { server in
                server.version == probe.version && !record.refusedBy.contains(server.network)
                    && !record.votes.contains { $0.network == server.network && now - $0.seen.at < self.configuration.retryInterval }
            }.map(\.readyAt).min()
            let retryAt = now + self.configuration.retryInterval
            record.nextCheck = max(now + self.configuration.unsureInterval, min(newOpinionAt ?? retryAt, retryAt))
        }
        self.records[index] = record
    }

    /// By how many those that say "reachable" outnumber the others, and how many it takes either way.
    private func lead(of record: Record, now: Instant) -> (lead: Int, needed: Int) {
        let votes = record.votes.filter { now - $0.seen.at < self.configuration.voteLifetime }
        let isProven = votes.contains { $0.seen.version == .v2 }
        let counted = votes.filter { !isProven || $0.seen.version == .v2 }
        let lead = counted.reduce(0) { $0 + ($1.seen.isReachable ? 1 : -1) }
        let needed = max(1, self.configuration.confirmations)
        guard isProven, self.configuration.acceptsFewerServers else { return (lead, needed) }
        // Of those that would dial it, and those whose answer still counts though they have left.
        let networks = Set(self.servers.values.filter { $0.version == .v2 }.map(\.network)).subtracting(record.refusedBy).union(counted.map(\.network))
        return (lead, min(needed, max(1, networks.count)))
    }

    /// Whether the state is what the votes say, too.
    private func isSure(_ record: Record, now: Instant) -> Bool {
        let (lead, needed) = self.lead(of: record, now: now)
        return switch record.state {
        case .unknown: false
        case .reachable: lead >= needed
        case .unreachable: -lead >= needed
        }
    }

    // MARK: Conclusions

    public var overall: NodeReachability {
        if self.records.contains(where: { $0.state.isReachable && $0.isIndependent }) { return .public }
        let isAnyOpen = self.records.contains {
            !$0.state.isUnreachable && !$0.isClosedToStrangers && ($0.state.isReachable || $0.external.basis != .guessed)
        }
        return isAnyOpen || !self.records.contains { $0.state.isUnreachable || $0.isClosedToStrangers } ? .unknown : .private
    }

    /// - Parameter tcpMapping: Goes into the snapshot as it is.
    public func snapshot(now: Instant, tcpMapping: TCPMapping) -> ReachabilitySnapshot {
        ReachabilitySnapshot(
            overall: self.overall,
            addresses: self.records.map { record in
                ReachabilitySnapshot.Address(
                    external: record.external, state: record.state, isIndependent: record.isIndependent,
                    confidence: abs(self.lead(of: record, now: now).lead), votes: record.votes.map(\.seen), refusals: record.refusedBy.count,
                    nextCheck: record.nextCheck)
            },
            v2Servers: self.servers.values.count { $0.version == .v2 },
            v1Servers: self.servers.values.count { $0.version == .v1 },
            tcpMapping: tcpMapping)
    }
}
