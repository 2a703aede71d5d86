import DIGIdentity

/// Whose turn it is to be dialed: how many first attempts there may be at once, and whether something is left that is better than a doubtful holder.
///
/// A value: whoever dials tells who has begun, who has ended, and how many holders are there.
struct DialPlaces: Sendable {
    /// Peers tried for the first time at once: whoever makes up holders must not make this node dial hundreds at a time.
    static let maximumCount = 16

    /// First attempts under way, and whether each is at a doubtful holder.
    private var dialing: [PeerID: Bool] = [:]
    private var holderCount = 0
    private var isStarving = false

    var hasRoom: Bool { self.dialing.count < Self.maximumCount }

    /// Whether an undoubted peer is being tried.
    var triesUndoubted: Bool { self.dialing.values.contains(false) }

    /// Whether holders are connected, and deliver as far as is known.
    var hasDelivery: Bool { self.holderCount > 0 && !self.isStarving }

    /// The first attempt at a peer begins.
    mutating func take(_ peer: PeerID, isDoubtful: Bool) { self.dialing[peer] = isDoubtful }

    /// It is over, whatever came of it.
    mutating func leave(_ peer: PeerID) { self.dialing[peer] = nil }

    mutating func holderCame() { self.holderCount += 1 }

    mutating func holderWent() { self.holderCount = max(0, self.holderCount - 1) }

    /// Whether anybody delivers to the transfer. Returns whether that is news.
    mutating func delivering(_ isDelivering: Bool) -> Bool {
        defer { self.isStarving = !isDelivering }
        return self.isStarving == isDelivering
    }
}
