public import DIGContent
public import DIGIdentity

/// What is known of one peer's claim to have one content. A value to be kept and read back; ``AvailabilityTable`` moves it.
public struct HolderRecord: Hashable, Sendable, Codable {
    public internal(set) var status = PeerContentStatus.available
    /// The time stamp of the latest signed announcement or withdrawal, 0 if there is none. All times are milliseconds since 1970.
    public internal(set) var announcedAt: UInt64 = 0
    /// Until when the claim holds; 0 if there is none.
    public internal(set) var claimedUntil: UInt64 = 0
    /// The peer has said that it has it no longer.
    public internal(set) var isWithdrawn = false
    public internal(set) var reports: [StoredReport] = []
    /// Reports signed until then do not count: a proof came later.
    public internal(set) var clearedAt: UInt64 = 0
    /// When the peer could not be asked in any try, 0 if never since the last proof.
    public internal(set) var doubtedAt: UInt64 = 0
    /// When it last proved that it has the content, 0 if never.
    public internal(set) var provedAt: UInt64 = 0
    /// When it was last asked, 0 if never.
    public internal(set) var askedAt: UInt64 = 0
    /// When the status became what it is.
    public internal(set) var changedAt: UInt64 = 0
    /// Tries without an answer.
    public internal(set) var tries = 0
    /// When it is to be asked; the greatest number for never.
    public internal(set) var verifyAt = UInt64.max
    /// Asked even if nobody here has looked for the content.
    public internal(set) var isUrgent = false

    // Not kept.
    var wakeAt = UInt64.max
    /// The question under way; 0 for none.
    var question: UInt64 = 0

    private enum CodingKeys: String, CodingKey {
        case status, announcedAt, claimedUntil, isWithdrawn, reports, clearedAt, doubtedAt, provedAt, askedAt, changedAt, tries, verifyAt, isUrgent
    }

    func isClaimed(nowMilliseconds now: UInt64) -> Bool { self.claimedUntil > now && !self.isWithdrawn }
}

/// One claim, to be kept.
public struct HolderSnapshot: Hashable, Sendable, Codable {
    public var peer: PeerID
    public var content: ContentHash
    public var record: HolderRecord

    public init(peer: PeerID, content: ContentHash, record: HolderRecord) {
        self.peer = peer
        self.content = content
        self.record = record
    }
}
