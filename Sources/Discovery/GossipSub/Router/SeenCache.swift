import DequeModule
import DIGIdentity

/// Which messages have been here, and what became of them.
struct SeenCache: Sendable {
    typealias Instant = ContinuousClock.Instant

    enum Status: Hashable, Sendable {
        /// The application has not said what it thinks; others have brought it meanwhile.
        case validating(bringers: [PeerID])
        /// Those who count as good as the first.
        case accepted(at: Instant, bringers: [PeerID])
        case rejected
        case ignored
    }

    struct Entry: Hashable, Sendable {
        /// Of the message that was looked at. Another one with the same name is nobody's merit and nobody's fault.
        var fingerprint: Int
        var status: Status
    }

    private let timeToLive: Duration
    private let maximumCount: Int
    private var entries: [GossipMessageID: Entry] = [:]
    private var order: Deque<(id: GossipMessageID, expiresAt: Instant)> = []
    private(set) var evictedCount: UInt64 = 0

    init(timeToLive: Duration, maximumCount: Int) {
        self.timeToLive = timeToLive
        self.maximumCount = max(1, maximumCount)
    }

    var count: Int { self.entries.count }

    func contains(_ id: GossipMessageID) -> Bool { self.entries[id] != nil }

    subscript(_ id: GossipMessageID) -> Entry? {
        get { self.entries[id] }
        // What is no longer here stays away.
        set { if self.entries[id] != nil, let newValue { self.entries[id] = newValue } }
    }

    /// False if it has been here before.
    mutating func insert(_ id: GossipMessageID, _ entry: Entry, now: Instant) -> Bool {
        guard self.entries[id] == nil else { return false }
        self.entries[id] = entry
        self.order.append((id, now + self.timeToLive))
        if self.order.count > self.maximumCount, let first = self.order.popFirst() {
            self.entries[first.id] = nil
            self.evictedCount += 1
        }
        return true
    }

    mutating func expire(now: Instant) {
        while let first = self.order.first, first.expiresAt <= now {
            self.entries[first.id] = nil
            self.order.removeFirst()
        }
    }
}
