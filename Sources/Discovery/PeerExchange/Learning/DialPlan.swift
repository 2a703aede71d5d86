import DIGIdentity
import DIGMultiformats
import DIGNet

/// Whom to connect to among the peers learned of, and when.
///
/// Bounded in the number at a time, by the minute, and for each peer: what others say costs this node no more than that, whoever they name.
struct DialPlan: Sendable {
    typealias Instant = ContinuousClock.Instant

    private struct History {
        var failures = 0
        var notBefore: Instant
    }

    /// Peers that were dialed and are remembered; when there are more, none is dialed until some are forgotten.
    static let maximumHistoryCount = 2_000
    private static let maximumDoublings = 6

    private let configuration: PeerExchangeConfiguration
    private var bucket: TokenBucket
    private var history: [PeerID: History] = [:]
    private(set) var dialing: Set<PeerID> = []
    private var nextExploration: Instant

    init(configuration: PeerExchangeConfiguration, now: Instant) {
        self.configuration = configuration
        self.bucket = TokenBucket(rate: configuration.dialsPerMinute / 60, burst: configuration.dialsPerMinute, now: now)
        self.nextExploration = now + configuration.explorationInterval
    }

    /// - Parameters:
    ///   - linkCount: Peers of this protocol that are connected.
    ///   - isConnected: Whether a peer is.
    /// - Returns: One to dial; nil if none is wanted. Its end has to be told with ``ended(_:isConnected:now:)``.
    mutating func next(
        among learned: LearnedPeers, linkCount: Int, now: Instant, using generator: inout some RandomNumberGenerator, isConnected: (PeerID) -> Bool
    ) -> SignedPeerRecord? {
        guard self.configuration.connectsToLearnedPeers, self.dialing.count < self.configuration.maximumConcurrentDials,
            self.history.count < Self.maximumHistoryCount, self.bucket.has(now: now)
        else { return nil }
        let missing = self.configuration.wantedConnections - linkCount - self.dialing.count
        if missing <= 0 {
            // Those found first are each other's neighbours. A few more, found later, tie parts of the network together that one node held together.
            guard missing > -self.configuration.extraConnections, now >= self.nextExploration else { return nil }
        }
        // First the source, then one of its peers: whoever names many does not get more of the dials for it. Of these one that few others name: it is
        // farther away than those that all neighbours know, and brings parts of the network together.
        var candidates: [PeerID: [PeerID]] = [:]
        for (peer, entry) in learned.entries where !isConnected(peer) && self.mayDial(entry.record, now: now) {
            for source in entry.sources.keys { candidates[source, default: []].append(peer) }
        }
        // Sorted, so that the same generator makes the same choices.
        guard let source = candidates.keys.sorted().randomElement(using: &generator), let named = candidates[source] else { return nil }
        let sourceCounts = named.map { learned.entries[$0]?.sources.count ?? 0 }
        let fewest = sourceCounts.min()
        let rare = zip(named, sourceCounts).filter { $0.1 == fewest }.map(\.0)
        guard let peer = rare.sorted().randomElement(using: &generator), let entry = learned.entries[peer], self.bucket.take(now: now) else { return nil }
        self.dialing.insert(peer)
        self.nextExploration = now + self.configuration.explorationInterval
        return entry.record
    }

    private func mayDial(_ record: SignedPeerRecord, now: Instant) -> Bool {
        guard !self.dialing.contains(record.peer), self.history[record.peer].map({ $0.notBefore <= now }) ?? true else { return false }
        return self.configuration.allowsPrivateAddresses
            ? !record.addresses.isEmpty
            // A circuit may lead over a relay that is connected already, whatever its address: the dialer knows.
            : record.addresses.contains { self.configuration.addressPolicy.isPublic($0) || $0.components.contains(.p2pCircuit) }
    }

    mutating func ended(_ peer: PeerID, isConnected: Bool, now: Instant) {
        guard self.dialing.remove(peer) != nil else { return }
        var history = self.history[peer] ?? History(notBefore: now)
        if isConnected { history.failures = 0 }
        history.notBefore = now + self.configuration.redialInterval * (1 << min(history.failures, Self.maximumDoublings))
        if !isConnected { history.failures += 1 }
        self.history[peer] = history
    }

    /// Forgets whom nobody has dialed for long.
    mutating func expire(now: Instant) {
        for (peer, history) in self.history
        where history.notBefore + self.configuration.redialInterval * (1 << Self.maximumDoublings) <= now { self.history[peer] = nil }
    }
}
