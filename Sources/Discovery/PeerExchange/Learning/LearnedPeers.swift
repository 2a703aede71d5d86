import DIGIdentity

/// Peers that are known from others, by records that they signed. They are reported and dialed, but never passed on.
///
/// Bounded for each source and all in all. When everything is full, whoever told of most loses its oldest, so a flood pushes out only itself.
struct LearnedPeers: Sendable {
    typealias Instant = ContinuousClock.Instant

    enum Vouching: Hashable, Sendable {
        case now
        /// The source is gone.
        case until(Instant)
    }

    struct Entry: Sendable {
        var record: SignedPeerRecord
        fileprivate(set) var sources: [PeerID: Vouching]
        /// Counts up: smaller is older.
        fileprivate let serial: UInt64

        var liveSourceCount: Int { self.sources.values.count { $0 == .now } }
    }

    enum Verdict: Hashable, Sendable {
        /// Not known before.
        case added
        /// Known before, at other addresses.
        case moved
        case known
        case refused
    }

    let maximumCount: Int
    let maximumCountPerSource: Int
    private(set) var entries: [PeerID: Entry] = [:]
    private var countBySource: [PeerID: Int] = [:]
    private var nextSerial: UInt64 = 0

    init(maximumCount: Int, maximumCountPerSource: Int) {
        self.maximumCount = max(0, maximumCount)
        self.maximumCountPerSource = max(0, maximumCountPerSource)
    }

    var count: Int { self.entries.count }

    func count(of source: PeerID) -> Int { self.countBySource[source, default: 0] }

    /// `source` vouches for the peer of `record`.
    ///
    /// - Returns: What came of it, and who had to go to make room.
    mutating func add(_ record: SignedPeerRecord, from source: PeerID) -> (verdict: Verdict, evicted: PeerID?) {
        if var entry = self.entries[record.peer] {
            if entry.sources[source] == nil {
                guard self.count(of: source) < self.maximumCountPerSource else { return (.refused, nil) }
                self.countBySource[source, default: 0] += 1
            }
            entry.sources[source] = .now
            // RFC 0003: of two records the one with the higher number.
            let isNewer = record.sequence > entry.record.sequence
            let hasMoved = isNewer && record.addresses != entry.record.addresses
            if isNewer { entry.record = record }
            self.entries[record.peer] = entry
            return (hasMoved ? .moved : .known, nil)
        }
        guard self.count(of: source) < self.maximumCountPerSource, self.maximumCount > 0 else { return (.refused, nil) }
        var evicted: PeerID?
        if self.entries.count >= self.maximumCount {
            guard let victim = self.victim(for: source) else { return (.refused, nil) }
            self.remove(victim)
            evicted = victim
        }
        self.entries[record.peer] = Entry(record: record, sources: [source: .now], serial: self.nextSerial)
        self.countBySource[source, default: 0] += 1
        self.nextSerial += 1
        return (.added, evicted)
    }

    /// `source` no longer vouches for `peer`.
    ///
    /// - Returns: Whether nobody else does, so that it is forgotten.
    mutating func drop(_ peer: PeerID, from source: PeerID) -> Bool {
        guard var entry = self.entries[peer], entry.sources.removeValue(forKey: source) != nil else { return false }
        self.decrement(source)
        guard entry.sources.isEmpty else {
            self.entries[peer] = entry
            return false
        }
        self.entries[peer] = nil
        return true
    }

    /// `source` is gone or begins anew: what it vouched for counts until `end`.
    mutating func leave(_ source: PeerID, until end: Instant) {
        guard self.count(of: source) > 0 else { return }
        for (peer, entry) in self.entries where entry.sources[source] == .now {
            self.entries[peer]?.sources[source] = .until(end)
        }
    }

    /// - Returns: Those for which nobody vouches any more.
    mutating func expire(now: Instant) -> [PeerID] {
        var lost: [PeerID] = []
        for (peer, entry) in self.entries {
            for (source, vouching) in entry.sources {
                if case .until(let end) = vouching, end <= now, self.drop(peer, from: source) { lost.append(peer) }
            }
        }
        return lost
    }

    // MARK: Room

    /// Of the source that told of most, the oldest; nil if that is `newcomer` itself.
    private func victim(for newcomer: PeerID) -> PeerID? {
        let largest = self.countBySource.max { ($0.value, $0.key) < ($1.value, $1.key) }
        guard let largest, largest.value > self.count(of: newcomer) else { return nil }
        return self.entries.filter { $0.value.sources.keys.contains(largest.key) }.min { $0.value.serial < $1.value.serial }?.key
    }

    private mutating func remove(_ peer: PeerID) {
        guard let entry = self.entries.removeValue(forKey: peer) else { return }
        for source in entry.sources.keys { self.decrement(source) }
    }

    private mutating func decrement(_ source: PeerID) {
        let count = self.countBySource[source, default: 1] - 1
        self.countBySource[source] = count > 0 ? count : nil
    }
}
