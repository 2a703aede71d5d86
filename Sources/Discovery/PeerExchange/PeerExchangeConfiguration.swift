public import DIGNet

/// How a node exchanges peers with others.
public struct PeerExchangeConfiguration: Hashable, Sendable {
    // MARK: Exchanging

    /// Between two exchanges with a peer (the seed's `exchangeInterval`). At least a second.
    public var exchangeInterval: Duration = .seconds(30)
    /// Added to each interval at random, so that many nodes do not speak at once: up to this part of it.
    public var jitter = 0.1
    /// Peers named as added in one exchange (the seed's `maxPeers`), and at most 50 again as dropped. 1 to 50: what others read.
    public var maximumPeersPerExchange = 50
    /// Peers that one peer is told of, all in all; more only when others were dropped.
    public var maximumToldPeers = 200
    /// How long after its connection is gone a peer is still passed on, and what it announced is believed.
    public var recentLifetime: Duration = .seconds(300)
    /// How long a peer that others told of is remembered after the last of them is gone.
    public var learnedLifetime: Duration = .seconds(600)
    /// Between looks at what is over, and at whom to dial next.
    public var upkeepInterval: Duration = .seconds(5)
    /// From the opening of a stream to the answer's last byte.
    public var requestTimeout: Duration = .seconds(10)

    // MARK: Connecting

    /// Whether this service dials peers that it learns of. What it learns is reported in either case.
    public var connectsToLearnedPeers = true
    /// Connected peers of this protocol, whoever dialed, up to which more are dialed.
    public var wantedConnections = 8
    /// Beyond those, dialed one at a time, each ``explorationInterval``, among the peers that the fewest others name: where all know the same ones, the network
    /// hangs together by a thread.
    public var extraConnections = 4
    public var explorationInterval: Duration = .seconds(60)
    public var maximumConcurrentDials = 2
    public var dialsPerMinute: Double = 12
    public var dialTimeout: Duration = .seconds(15)
    /// After a dial that failed; doubled with each further one, up to 64 times. After one that did not, too, so that nobody is dialed over and over.
    public var redialInterval: Duration = .seconds(60)
    public var addressPolicy = AddressPolicy()
    /// For networks that live on private addresses, such as one of a company or a laboratory. Otherwise no private address that a peer tells is dialed.
    public var allowsPrivateAddresses = false

    // MARK: Asking

    /// How long after the start a search waits for somebody to ask.
    public var firstPeerPatience: Duration = .seconds(5)
    /// Peers asked who has a content.
    public var maximumAskedPeers = 16
    /// Searches of this node under way; those beyond end with what is known here.
    public var maximumSearches = 64
    /// Keys that this node may follow, at most 64: what others read.
    public var maximumInterests = 64

    // MARK: Tables

    /// Connected peers with which is exchanged. Others are told to come back later.
    public var maximumLinks = 256
    /// Peers met, connected ones included.
    public var maximumContacts = 512
    /// Peers that others told of.
    public var maximumLearnedPeers = 2_000
    /// Of these, those of one source.
    public var maximumLearnedPeersPerSource = 200
    /// Keys that this node may announce.
    public var maximumOwnAnnouncements = 10_000
    /// Announcements of others.
    public var maximumAnnouncements = 20_000
    /// Of one peer; what this node announces to one is bounded by the same number.
    public var maximumAnnouncementsPerPeer = 1_000
    public var maximumAnnouncementsPerKey = 1_000
    /// Peers whose requests are counted. When so many are busy at the same time, newcomers have to wait.
    public var maximumMeteredPeers = 1_024

    // MARK: Rates

    /// Also what a peer may send at once. An honest one sends two.
    public var exchangesPerMinutePerPeer: Double = 6
    /// Beside ``maximumAnnouncementsPerPeer`` at once.
    public var announcementsPerSecondPerPeer: Double = 5
    /// Of all peers; ten times as many at once.
    public var announcementsPerSecond: Double = 500
    /// Five times as many at once.
    public var queriesPerSecondPerPeer: Double = 10
    /// Of all peers.
    public var queriesPerSecond: Double = 500

    // MARK: Streams

    public var maximumInboundStreams = 64
    public var maximumInboundStreamsPerPeer = 4
    /// Events kept for a slow reader; it misses the oldest.
    public var eventBufferCount = 256

    public init() {}

    /// With what can't be otherwise.
    var checked: Self {
        var configuration = self
        configuration.exchangeInterval = max(.seconds(1), self.exchangeInterval)
        configuration.upkeepInterval = max(.milliseconds(10), self.upkeepInterval)
        configuration.jitter = min(max(0, self.jitter), 1)
        configuration.maximumPeersPerExchange = min(max(1, self.maximumPeersPerExchange), PeerExchangeLimits.maximumPeersPerExchange)
        configuration.maximumInterests = min(max(0, self.maximumInterests), PeerExchangeLimits.maximumInterests)
        return configuration
    }
}
