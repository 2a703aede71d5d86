import DequeModule
import DIGIdentity

/// The messages of the last heartbeats, for those who ask for them (gossipsub v1.0, "Message Cache").
struct MessageCache: Sendable {
    private struct Entry {
        var message: GossipMessage
        var transmissions: [PeerID: Int] = [:]
    }

    private struct Item {
        var id: GossipMessageID
        var topic: String
    }

    /// `mcache_len`, `mcache_gossip`.
    private let length: Int
    private let gossipLength: Int
    private let maximumByteCount: Int
    private var entries: [GossipMessageID: Entry] = [:]
    /// The newest first.
    private var windows: Deque<Deque<Item>>
    private(set) var byteCount = 0
    private(set) var evictedCount: UInt64 = 0

    init(length: Int, gossipLength: Int, maximumByteCount: Int) {
        self.length = max(1, length)
        self.gossipLength = max(0, min(gossipLength, length))
        self.maximumByteCount = maximumByteCount
        self.windows = [[]]
    }

    var count: Int { self.entries.count }

    mutating func put(_ message: GossipMessage) {
        let id = message.id
        guard self.entries[id] == nil, message.byteCount <= self.maximumByteCount else { return }
        self.entries[id] = Entry(message: message)
        self.windows[0].append(Item(id: id, topic: message.topic))
        self.byteCount += message.byteCount
        while self.byteCount > self.maximumByteCount, self.evictOldest() { self.evictedCount += 1 }
    }

    private mutating func evictOldest() -> Bool {
        guard let last = self.windows.lastIndex(where: { !$0.isEmpty }) else { return false }
        if let first = self.windows[last].popFirst() { self.remove(first.id) }
        return true
    }

    private mutating func remove(_ id: GossipMessageID) {
        guard let entry = self.entries.removeValue(forKey: id) else { return }
        self.byteCount -= entry.message.byteCount
    }

    /// The message for `peer`, unless it has had it so often.
    mutating func take(_ id: GossipMessageID, for peer: PeerID, limit: Int) -> GossipMessage? {
        guard let count = self.entries[id]?.transmissions[peer, default: 0], count < limit else { return nil }
        self.entries[id]?.transmissions[peer] = count + 1
        return self.entries[id]?.message
    }

    func gossipIDs(of topic: String) -> [GossipMessageID] {
        self.windows.prefix(self.gossipLength).flatMap { $0.filter { $0.topic == topic }.map(\.id) }
    }

    /// Begins the next window; the last is over.
    mutating func shift() {
        self.windows.prepend([])
        while self.windows.count > self.length, let last = self.windows.popLast() {
            for item in last { self.remove(item.id) }
        }
    }
}
