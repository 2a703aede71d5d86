import DIGAnnouncement

/// What this node announces, in the order in which it began to.
struct OwnAnnouncements: Sendable {
    enum Verdict: Hashable, Sendable { case taken, known, refused }

    private struct Entry: Sendable {
        var signed: SignedAnnouncement
        var serial: UInt64
    }

    let maximumCount: Int
    private var entries: [RendezvousKey: Entry] = [:]
    /// By serial number; entries that were announced again or are over leave gaps, which are closed when there are many.
    private var log: [(serial: UInt64, key: RendezvousKey)] = []
    private(set) var lastSerial: UInt64 = 0

    init(maximumCount: Int) { self.maximumCount = max(0, maximumCount) }

    var count: Int { self.entries.count }
    var logCount: Int { self.log.count }

    subscript(key: RendezvousKey) -> SignedAnnouncement? { self.entries[key]?.signed }

    func serial(of key: RendezvousKey) -> UInt64? { self.entries[key]?.serial }

    mutating func add(_ signed: SignedAnnouncement) -> Verdict {
        let key = signed.announcement.key
        if let known = self.entries[key] {
            guard known.signed.announcement.timestampMilliseconds < signed.announcement.timestampMilliseconds else { return .known }
        } else {
            guard self.entries.count < self.maximumCount else { return .refused }
        }
        self.lastSerial += 1
        self.entries[key] = Entry(signed: signed, serial: self.lastSerial)
        self.log.append((self.lastSerial, key))
        self.closeGaps()
        return .taken
    }

    mutating func expire(nowMilliseconds: UInt64) {
        for (key, entry) in self.entries where entry.signed.announcement.expiresAtMilliseconds <= nowMilliseconds { self.entries[key] = nil }
        self.closeGaps()
    }

    /// The announcements after `serial`, the oldest first, as long as `take` takes them.
    ///
    /// - Returns: The last serial number that was looked at.
    func each(after serial: UInt64, take: (SignedAnnouncement) -> Bool) -> UInt64 {
        var (low, high) = (0, self.log.count)
        while low < high {
            let middle = (low + high) / 2
            if self.log[middle].serial <= serial { low = middle + 1 } else { high = middle }
        }
        var last = serial
        for (serial, key) in self.log[low...] {
            if let entry = self.entries[key], entry.serial == serial, !take(entry.signed) { return last }
            last = serial
        }
        return last
    }

    private mutating func closeGaps() {
        guard self.log.count > 2 * self.entries.count + 64 else { return }
        self.log.removeAll { self.entries[$0.key]?.serial != $0.serial }
    }
}
