import DIGIdentity
import DIGNet

/// How much each peer, and all together, may ask of this node. A peer's account outlives its connection, so that nobody gets a fresh one by
/// coming back.
struct RequestMeter: Sendable {
    typealias Instant = ContinuousClock.Instant

    private struct Account {
        var exchanges: TokenBucket
        var announcements: TokenBucket
        var queries: TokenBucket

        mutating func isFull(now: Instant) -> Bool {
            self.exchanges.isFull(now: now) && self.announcements.isFull(now: now) && self.queries.isFull(now: now)
        }
    }

    private let configuration: PeerExchangeConfiguration
    private var accounts: [PeerID: Account] = [:]
    private var allAnnouncements: TokenBucket
    private var allQueries: TokenBucket

    init(configuration: PeerExchangeConfiguration, now: Instant) {
        self.configuration = configuration
        // A second's worth at once; announcements come in bursts when a peer has just connected.
        self.allAnnouncements = TokenBucket(
            rate: configuration.announcementsPerSecond, burst: configuration.announcementsPerSecond * 10, now: now)
        self.allQueries = TokenBucket(rate: configuration.queriesPerSecond, burst: configuration.queriesPerSecond, now: now)
    }

    var count: Int { self.accounts.count }

    mutating func admit(_ request: PeerExchangeRequest, from peer: PeerID, now: Instant) -> Bool {
        guard var account = self.account(of: peer, now: now) else { return false }
        defer { self.accounts[peer] = account }
        switch request {
        case .exchange:
            return account.exchanges.take(now: now)
        case .announce(let announce):
            // What costs time is the signatures.
            let cost = Double(1 + announce.announcements.count)
            return account.announcements.take(cost, now: now) && self.allAnnouncements.take(cost, now: now)
        case .query, .unknown:
            return account.queries.take(now: now) && self.allQueries.take(now: now)
        }
    }

    private mutating func account(of peer: PeerID, now: Instant) -> Account? {
        if let account = self.accounts[peer] { return account }
        if self.accounts.count >= self.configuration.maximumMeteredPeers {
            for (other, var account) in self.accounts where account.isFull(now: now) { self.accounts[other] = nil }
            guard self.accounts.count < self.configuration.maximumMeteredPeers else { return nil }
        }
        let configuration = self.configuration
        let burst = Double(configuration.maximumAnnouncementsPerPeer + PeerExchangeLimits.maximumAnnouncementsPerAnnounce) * 1.1
        return Account(
            exchanges: TokenBucket(rate: configuration.exchangesPerMinutePerPeer / 60, burst: configuration.exchangesPerMinutePerPeer, now: now),
            announcements: TokenBucket(rate: configuration.announcementsPerSecondPerPeer, burst: burst, now: now),
            queries: TokenBucket(
                rate: configuration.queriesPerSecondPerPeer, burst: configuration.queriesPerSecondPerPeer * 5, now: now))
    }
}
