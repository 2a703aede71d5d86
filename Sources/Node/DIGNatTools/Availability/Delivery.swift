import DIGIdentity
import DIGTransfer

/// What each peer gave in one fetch, and in which time: what reputations are made of (only bytes that were proven count, for whoever sent them).
struct Delivery {
    typealias Instant = ContinuousClock.Instant

    private let start: Instant
    private var arrivals: [PeerID: Instant] = [:]

    init(start: Instant) { self.start = start }

    /// The peer is there to be asked from now on.
    mutating func arrived(_ peer: PeerID, now: Instant) {
        // Coming back does not make it faster.
        if self.arrivals[peer] == nil { self.arrivals[peer] = now }
    }

    /// Those that gave something, in the time in which they could.
    func credits(_ peers: [PeerStatistics], now: Instant) -> [(peer: PeerID, byteCount: UInt64, duration: Duration)] {
        // A peer may appear with each of its connections.
        var byteCounts: [PeerID: UInt64] = [:]
        for peer in peers where peer.verifiedByteCount > 0 { byteCounts[peer.peer, default: 0] &+= peer.verifiedByteCount }
        return byteCounts.map { peer, byteCount in
            (peer, byteCount, max(.zero, now - max(self.start, self.arrivals[peer] ?? self.start)))
        }
    }
}
