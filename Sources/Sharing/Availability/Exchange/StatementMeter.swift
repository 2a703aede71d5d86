import DIGIdentity
import DIGNet

/// How many records each peer, and all together, may have checked: a signature costs a tenth of a millisecond. A peer's account outlives its connection.
struct StatementMeter {
    typealias Instant = ContinuousClock.Instant

    private let configuration: AvailabilityExchangeConfiguration
    private var all: TokenBucket
    private var peers: [PeerID: TokenBucket] = [:]

    init(configuration: AvailabilityExchangeConfiguration, now: Instant) {
        self.configuration = configuration
        self.all = TokenBucket(rate: configuration.statementsPerSecond, burst: configuration.statementBurst, now: now)
    }

    /// Whether one more of this peer may be looked at.
    mutating func admit(_ peer: PeerID, now: Instant) -> Bool {
        var bucket: TokenBucket
        if let known = self.peers[peer] {
            bucket = known
        } else {
            guard self.makeRoom(now: now) else { return false }
            bucket = TokenBucket(rate: self.configuration.statementsPerSecondPerPeer, burst: self.configuration.statementBurstPerPeer, now: now)
        }
        // Who may not takes nothing from what all may.
        let isAdmitted = bucket.take(now: now) && self.all.take(now: now)
        self.peers[peer] = bucket
        return isAdmitted
    }

    /// Accounts that are full again are as good as new.
    private mutating func makeRoom(now: Instant) -> Bool {
        guard self.peers.count >= self.configuration.meteredPeerCount else { return true }
        self.peers = self.peers.filter { entry in
            var bucket = entry.value
            return !bucket.isFull(now: now)
        }
        return self.peers.count < self.configuration.meteredPeerCount
    }
}
