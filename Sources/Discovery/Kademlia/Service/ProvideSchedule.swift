/// When each key that this node provides has to be announced again, in the order of the key space: neighbours go to the same nodes, so one
/// lookup and one stream to each of them serve a whole region.
struct ProvideSchedule: Sendable {
    typealias Instant = ContinuousClock.Instant

    struct Entry: Hashable, Sendable {
        var key: [UInt8]
        var place: KademliaKey
        var lifetime: Duration
        var due: Instant
        var failures = 0
        var providedAt: Instant?
    }

    /// A key that could not be stored is tried again after this, then after twice as long, and so on up to its interval.
    static let firstRetry: Duration = .seconds(30)

    private let interval: Duration
    private let maximumCount: Int
    private var entries: [KademliaKey: Entry] = [:]
    /// Sorted, when ``isSorted``; may name keys that are gone.
    private var order: [KademliaKey] = []
    private var isSorted = true
    /// Where the sweep is.
    private var cursor = 0

    /// - Parameter interval: Between two announcements; less for a key that is forgotten earlier, see ``interval(for:)``.
    init(interval: Duration, maximumCount: Int) {
        self.interval = interval
        self.maximumCount = maximumCount
    }

    var count: Int { self.entries.count }
    var all: [Entry] { Array(self.entries.values) }

    func entry(_ key: [UInt8]) -> Entry? { self.entries[KademliaKey(hashing: key)] }
    func contains(_ place: KademliaKey) -> Bool { self.entries[place] != nil }

    /// Between two announcements of a key: what is left of the lifetime as of 48 h where keys are announced every 22 h (kad-dht r2), so that the
    /// one after an announcement that was lost comes before the record of the one before it ends.
    func interval(for lifetime: Duration) -> Duration { min(self.interval, lifetime * 11 / 24) }

    /// - Returns: False if there is no room.
    @discardableResult
    mutating func add(_ key: [UInt8], lifetime: Duration, due: Instant, providedAt: Instant? = nil) -> Bool {
        let place = KademliaKey(hashing: key)
        if var entry = self.entries[place] {
            entry.lifetime = lifetime
            entry.due = min(entry.due, due)
            self.entries[place] = entry
            return true
        }
        guard self.entries.count < self.maximumCount else { return false }
        self.entries[place] = Entry(key: key, place: place, lifetime: lifetime, due: due, providedAt: providedAt)
        self.order.append(place)
        self.isSorted = false
        return true
    }

    @discardableResult
    mutating func remove(_ key: [UInt8]) -> Bool { self.entries.removeValue(forKey: KademliaKey(hashing: key)) != nil }

    private mutating func sort() {
        if self.order.count > self.entries.count + 1024 || !self.isSorted {
            self.order = self.entries.keys.sorted()
            self.isSorted = true
        }
    }

    /// The next key in the sweep that is due.
    mutating func next(now: Instant) -> Entry? {
        self.sort()
        for step in 0..<self.order.count {
            let index = (self.cursor + step) % self.order.count
            if let entry = self.entries[self.order[index]], entry.due <= now {
                self.cursor = index
                return entry
            }
        }
        return nil
    }

    /// When there is something to do.
    var nextDue: Instant? { self.entries.values.lazy.map(\.due).min() }

    /// Keys that share at least `prefixLength` bits with `place` and are due, or will be within a quarter of their interval.
    mutating func region(around place: KademliaKey, prefixLength: Int, limit: Int, now: Instant) -> [Entry] {
        self.sort()
        // Where a run of keys with the prefix begins: `place` with all bits after it cleared.
        var (low, high) = (0, self.order.count)
        while low < high {
            let middle = (low + high) / 2
            if self.order[middle] < place, self.order[middle].commonPrefixLength(with: place) < prefixLength { low = middle + 1 } else { high = middle }
        }
        var found: [Entry] = []
        // The key that made it due comes first, whatever the limit.
        if let entry = self.entries[place] { found.append(entry) }
        var index = low
        while index < self.order.count, found.count < limit, self.order[index].commonPrefixLength(with: place) >= prefixLength {
            if self.order[index] != place, let entry = self.entries[self.order[index]],
                entry.due <= now + self.interval(for: entry.lifetime) / 4
            {
                found.append(entry)
            }
            index += 1
        }
        return found
    }

    mutating func provided(_ places: [KademliaKey], now: Instant) {
        for place in places {
            guard var entry = self.entries[place] else { continue }
            entry.failures = 0
            entry.providedAt = now
            entry.due = now + self.interval(for: entry.lifetime)
            self.entries[place] = entry
        }
    }

    /// What has failed is due now: somebody is there again.
    mutating func retry(now: Instant) {
        for (place, entry) in self.entries where entry.failures > 0 { self.entries[place]?.due = min(entry.due, now) }
    }

    mutating func failed(_ places: [KademliaKey], now: Instant) {
        for place in places {
            guard var entry = self.entries[place] else { continue }
            entry.due = now + min(Self.firstRetry * (1 << min(entry.failures, 10)), self.interval(for: entry.lifetime))
            entry.failures += 1
            self.entries[place] = entry
        }
    }
}
