import OrderedCollections
import DIGIdentity
import DIGMultiformats

/// What a node knows and keeps, behind one lock.
struct KademliaState: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// Connected peers whose addresses are kept to tell others, whether they serve the DHT or not; the oldest are forgotten.
    static let maximumConnectedPeers = 512
    /// Peers whose rate of questions is counted.
    static let maximumMeteredPeers = 4096

    var table: RoutingTable
    var providers: ProviderStore
    var values: ValueStore
    var mailboxes: MailboxStore
    var statistics = KademliaStatistics()
    private(set) var connected: OrderedDictionary<PeerID, [Multiaddr]> = [:]
    /// When each peer's questions would be paid for, at the allowed rate.
    private var arrivals: OrderedDictionary<PeerID, Instant> = [:]

    init(localKey: KademliaKey, configuration: KademliaConfiguration) {
        self.table = RoutingTable(localKey: localKey, configuration: configuration.routingTable)
        self.providers = ProviderStore(configuration: configuration.providers)
        self.values = ValueStore(configuration: configuration.values)
        self.mailboxes = MailboxStore(configuration: configuration.mailboxes)
    }

    mutating func connected(_ peer: PeerID, addresses: [Multiaddr]) {
        self.connected[peer] = addresses
        if self.connected.count > Self.maximumConnectedPeers { self.connected.removeFirst() }
    }

    mutating func disconnected(_ peer: PeerID) { self.connected[peer] = nil }

    /// How long a question of `peer` has to wait, by the generic cell rate algorithm.
    mutating func delay(for peer: PeerID, rate: Int, burst: Int, now: Instant) -> Duration {
        let step = Duration.seconds(1) / max(1, rate)
        let arrival = max(now, self.arrivals[peer] ?? now) + step
        self.arrivals[peer] = arrival
        if self.arrivals.count > Self.maximumMeteredPeers {
            self.arrivals.removeAll { $0.value <= now }
            if self.arrivals.count > Self.maximumMeteredPeers { self.arrivals.removeFirst() }
        }
        return max(.zero, arrival - now - step * max(1, burst))
    }

    mutating func expire(now: Instant) {
        self.providers.expire(now: now)
        self.values.expire(now: now)
        self.mailboxes.expire(now: now)
        self.arrivals.removeAll { $0.value <= now }
    }

    var snapshot: KademliaStatistics {
        var statistics = self.statistics
        statistics.routingTableCount = self.table.count
        statistics.providerRecordCount = self.providers.count
        statistics.providerKeyCount = self.providers.keyCount
        statistics.valueCount = self.values.count
        statistics.letterCount = self.mailboxes.count
        statistics.evictedRecords = self.providers.evictedCount + self.values.evictedCount + self.mailboxes.evictedCount
        return statistics
    }
}
