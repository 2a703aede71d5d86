import DequeModule
import DIGIdentity

/// Who must not be grafted yet, and must not graft (gossipsub v1.1, "PRUNE Backoff").
struct GossipBackoffs: Sendable {
    typealias Instant = ContinuousClock.Instant

    private struct Key: Hashable {
        var topic: String
        var peer: PeerID
    }

    private let maximumCount: Int
    private var ends: [Key: Instant] = [:]
    /// In the order in which they began; some are over.
    private var order: Deque<Key> = []

    init(maximumCount: Int) { self.maximumCount = max(1, maximumCount) }

    var count: Int { self.ends.count }

    /// Never makes one shorter.
    mutating func add(_ peer: PeerID, topic: String, until end: Instant) {
        let key = Key(topic: topic, peer: peer)
        if let old = self.ends[key] {
            self.ends[key] = max(old, end)
            return
        }
        self.ends[key] = end
        self.order.append(key)
        if self.ends.count > self.maximumCount, let first = self.order.popFirst() { self.ends[first] = nil }
    }

    func end(_ peer: PeerID, topic: String) -> Instant? { self.ends[Key(topic: topic, peer: peer)] }

    /// Forgets those that ended before `now`.
    mutating func expire(now: Instant) {
        guard self.ends.contains(where: { $0.value <= now }) else { return }
        self.ends = self.ends.filter { $0.value > now }
        let ends = self.ends
        self.order.removeAll { ends[$0] == nil }
    }
}
