/// The messages seen lately: what makes a flood end, and answers find their way back.
///
/// Bounded in time and number. gun.js keeps an id for 9 s after it was seen last and sweeps seldom, so that on a quiet relay it stays for up to
/// twice that; 15 s lies between.
struct MessageLog {
    enum Key: Hashable {
        case message(ExactText)
        /// An answer, by what it answers and the hash of its content.
        case answer(ExactText, Int32)
    }

    struct Record {
        /// Who sent it; nil: this node.
        var via: GunLinkID?
        /// The hash of what has been answered to it, or of what the asker said to have.
        var hash: Int32?
        /// "Not found" has been answered, once for all peers behind.
        var isMissAnswered = false
        var passedAnswerCount = 0
        fileprivate var seenAt: ContinuousClock.Instant
        fileprivate var turn: UInt64
    }

    private let lifetime: Duration
    private let maximumCount: Int
    private var records: [Key: Record] = [:]
    /// In the order of last use, with entries that were renewed since: these are passed over.
    private var queue: [(key: Key, turn: UInt64)] = []
    private var head = 0
    private var turn: UInt64 = 0

    init(lifetime: Duration, maximumCount: Int) {
        self.lifetime = lifetime
        self.maximumCount = max(1, maximumCount)
    }

    var count: Int { self.records.count }

    subscript(_ id: ExactText) -> Record? {
        get { self.records[.message(id)] }
        set { if self.records[.message(id)] != nil, let newValue { self.records[.message(id)] = newValue } }
    }

    /// Whether `key` is known. If so it is for another lifetime.
    mutating func isKnown(_ key: Key, now: ContinuousClock.Instant) -> Bool {
        self.sweep(now)
        guard self.records[key] != nil else { return false }
        self.renew(key, now)
        return true
    }

    mutating func note(_ key: Key, via: GunLinkID?, hash: Int32? = nil, now: ContinuousClock.Instant) {
        self.sweep(now)
        if self.records[key] == nil { self.records[key] = Record(via: via, hash: hash, seenAt: now, turn: 0) }
        self.renew(key, now)
        while self.records.count > self.maximumCount, let oldest = self.oldest() { self.records[oldest] = nil }
    }

    private mutating func renew(_ key: Key, _ now: ContinuousClock.Instant) {
        self.turn += 1
        self.records[key]?.seenAt = now
        self.records[key]?.turn = self.turn
        self.queue.append((key, self.turn))
        if self.queue.count - self.head > 4 * self.maximumCount || self.head > 4_096 && self.head * 2 > self.queue.count { self.compact() }
    }

    /// The key at the head of the queue, which leaves it.
    private mutating func oldest() -> Key? {
        while self.head < self.queue.count {
            let (key, turn) = self.queue[self.head]
            self.head += 1
            if self.records[key]?.turn == turn { return key }
        }
        return nil
    }

    private mutating func compact() {
        self.queue = self.queue[self.head...].filter { self.records[$0.key]?.turn == $0.turn }
        self.head = 0
    }

    private mutating func sweep(_ now: ContinuousClock.Instant) {
        while self.head < self.queue.count {
            let (key, turn) = self.queue[self.head]
            if let record = self.records[key], record.turn == turn {
                guard now - record.seenAt > self.lifetime else { return }
                self.records[key] = nil
            }
            self.head += 1
        }
    }
}
