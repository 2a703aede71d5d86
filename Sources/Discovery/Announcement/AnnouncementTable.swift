public import DIGIdentity

/// Who has announced what, bounded in every direction.
///
/// Of two announcements of a peer for a key the later one counts. A withdrawal stays until it is over, so that what was withdrawn does not come
/// back by another way. What a peer or a key may have at most is not exceeded; when the whole table is full, those with the most announcements lose some.
public struct AnnouncementTable: Sendable {
    /// What became of an announcement.
    public enum Verdict: Hashable, Sendable {
        /// New, or later than what was known.
        case taken
        /// Nothing new.
        case known
        /// There is no room for it.
        case refused
    }

    /// What is known, with the signature to pass on.
    public struct Entry: Hashable, Sendable {
        public let announcement: ContentAnnouncement
        /// As it was signed, to be passed on.
        public let envelope: SignedEnvelope
    }

    /// How much is kept.
    public struct Limits: Hashable, Sendable {
        public var count = 100_000
        public var countPerKey = 1_000
        public var countPerPeer = 10_000

        public init() {}
    }

    public let limits: Limits
    private var entries: [RendezvousKey: [PeerID: Entry]] = [:]
    /// For each peer, the keys and when they are over.
    private var keys: [PeerID: [RendezvousKey: UInt64]] = [:]
    public private(set) var count = 0

    public init(limits: Limits = Limits()) { self.limits = limits }

    /// Takes an announcement whose signature was checked.
    public mutating func add(_ announcement: ContentAnnouncement, envelope: SignedEnvelope, nowMilliseconds: UInt64) -> Verdict {
        let (key, peer) = (announcement.key, announcement.peer)
        if let known = self.entries[key]?[peer] {
            guard known.announcement.timestampMilliseconds < announcement.timestampMilliseconds else { return .known }
        } else {
            guard self.makeRoom(for: announcement, nowMilliseconds: nowMilliseconds) else { return .refused }
            self.count += 1
        }
        self.entries[key, default: [:]][peer] = Entry(announcement: announcement, envelope: envelope)
        self.keys[peer, default: [:]][key] = announcement.expiresAtMilliseconds
        return .taken
    }

    /// Who has the content, by their own word, the latest first.
    public func holders(of key: RendezvousKey, nowMilliseconds: UInt64) -> [Entry] {
        (self.entries[key]?.values.filter { $0.announcement.isAvailable && $0.announcement.expiresAtMilliseconds > nowMilliseconds } ?? [])
            .sorted { ($0.announcement.timestampMilliseconds, $0.announcement.peer) > ($1.announcement.timestampMilliseconds, $1.announcement.peer) }
    }

    /// What a peer has announced or withdrawn.
    public func entries(of peer: PeerID) -> [Entry] {
        self.keys[peer]?.keys.compactMap { self.entries[$0]?[peer] } ?? []
    }

    public subscript(key: RendezvousKey, peer: PeerID) -> Entry? { self.entries[key]?[peer] }

    /// Forgets what is over.
    public mutating func expire(nowMilliseconds: UInt64) {
        for (peer, keys) in self.keys {
            for (key, end) in keys where end <= nowMilliseconds { self.remove(key, of: peer) }
        }
    }

    /// Forgets everything that a peer has announced.
    public mutating func remove(_ peer: PeerID) {
        for key in self.keys[peer]?.keys.map({ $0 }) ?? [] { self.remove(key, of: peer) }
    }

    private mutating func remove(_ key: RendezvousKey, of peer: PeerID) {
        guard self.entries[key]?.removeValue(forKey: peer) != nil else { return }
        if self.entries[key]?.isEmpty == true { self.entries[key] = nil }
        self.keys[peer]?[key] = nil
        if self.keys[peer]?.isEmpty == true { self.keys[peer] = nil }
        self.count -= 1
    }

    private mutating func makeRoom(for announcement: ContentAnnouncement, nowMilliseconds: UInt64) -> Bool {
        guard (self.keys[announcement.peer]?.count ?? 0) < self.limits.countPerPeer else { return false }
        if let holders = self.entries[announcement.key], holders.count >= self.limits.countPerKey {
            for (peer, entry) in holders where entry.announcement.expiresAtMilliseconds <= nowMilliseconds { self.remove(announcement.key, of: peer) }
            guard (self.entries[announcement.key]?.count ?? 0) < self.limits.countPerKey else { return false }
        }
        if self.count >= self.limits.count { self.expire(nowMilliseconds: nowMilliseconds) }
        if self.count >= self.limits.count { self.shed() }
        return self.count < self.limits.count
    }

    /// Takes from those who have announced most, a good part at once, so that a full table does not cost every newcomer a walk through it.
    private mutating func shed() {
        let enough = self.limits.count - max(1, self.limits.count / 16)
        for (peer, keys) in self.keys.sorted(by: { $0.value.count > $1.value.count }) {
            for (key, _) in keys.sorted(by: { $0.value < $1.value }).prefix((keys.count + 1) / 2) {
                guard self.count > enough else { return }
                self.remove(key, of: peer)
            }
        }
    }
}
