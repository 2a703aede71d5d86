public import DIGIdentity

/// Reputations of a bounded number of peers. Those of whom least is known are forgotten first.
public struct ReputationTable: Sendable {
    struct Entry: Hashable, Sendable {
        var reputation = Reputation()
        /// Reports of this peer in the window that began then.
        var windowStart: UInt64 = 0
        var windowCount = 0
    }

    private var entries: [PeerID: Entry] = [:]
    let limit: Int
    let halfLife: UInt64
    private let reportWindow: UInt64
    private let reportLimit: Int

    init(configuration: AvailabilityConfiguration) {
        self.limit = max(1, configuration.peerLimit)
        self.halfLife = configuration.reputationHalfLife.millisecondCount
        self.reportWindow = configuration.reportHalfLife.millisecondCount
        self.reportLimit = configuration.reportsPerReporter
    }

    public var count: Int { self.entries.count }
    public subscript(peer: PeerID) -> Reputation? { self.entries[peer]?.reputation }
    public var all: [(peer: PeerID, reputation: Reputation)] { self.entries.map { ($0.key, $0.value.reputation) } }

    mutating func add(_ experience: Experience, of peer: PeerID, nowMilliseconds now: UInt64) {
        self.makeRoom(for: peer, nowMilliseconds: now)
        self.entries[peer, default: Entry()].reputation.add(experience, nowMilliseconds: now, halfLife: self.halfLife)
    }

    mutating func restore(_ reputation: Reputation, of peer: PeerID, nowMilliseconds now: UInt64) {
        self.makeRoom(for: peer, nowMilliseconds: now)
        self.entries[peer, default: Entry()].reputation = reputation
    }

    func reportWeight(of peer: PeerID, nowMilliseconds now: UInt64) -> Double {
        self.entries[peer]?.reputation.reportWeight(nowMilliseconds: now, halfLife: self.halfLife) ?? 1
    }

    func mayReport(_ peer: PeerID, nowMilliseconds now: UInt64) -> Bool {
        guard let entry = self.entries[peer], now.since(entry.windowStart) < self.reportWindow else { return true }
        return entry.windowCount < self.reportLimit
    }

    mutating func countReport(of peer: PeerID, nowMilliseconds now: UInt64) {
        self.makeRoom(for: peer, nowMilliseconds: now)
        if now.since(self.entries[peer]?.windowStart ?? 0) >= self.reportWindow {
            self.entries[peer, default: Entry()].windowStart = now
            self.entries[peer, default: Entry()].windowCount = 0
        }
        self.entries[peer, default: Entry()].windowCount += 1
    }

    /// Forgets a sixteenth at once, so that a full table does not cost every newcomer a walk through it.
    private mutating func makeRoom(for peer: PeerID, nowMilliseconds now: UInt64) {
        guard self.entries.count >= self.limit, self.entries[peer] == nil else { return }
        let order = self.entries.map { entry in
            (peer: entry.key, evidence: entry.value.reputation.evidence(nowMilliseconds: now, halfLife: self.halfLife), seenAt: max(entry.value.reputation.seenAt, entry.value.windowStart))
        }.sorted { ($0.evidence, $0.seenAt) < ($1.evidence, $1.seenAt) }
        for entry in order.prefix(max(1, self.limit / 16)) { self.entries[entry.peer] = nil }
    }
}
