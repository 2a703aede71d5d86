public import DIGIdentity

/// What to show of a peer that may have a content, and why its status is what it is.
public struct HolderState: Hashable, Sendable {
    public var peer: PeerID
    public var status: PeerContentStatus
    public var level: ReportLevel
    /// Sum of what the reports weigh.
    public var reportWeight: Double
    public var reportCount: Int
    /// False: nobody claims it now, it is remembered for what was.
    public var isClaimed: Bool
    public var isWithdrawn: Bool
    /// Milliseconds since 1970, 0 for none.
    public var claimedUntil: UInt64
    public var provedAt: UInt64
    public var askedAt: UInt64
    public var changedAt: UInt64
    public var reputation: ReputationScore

    /// For a person.
    public var reason: String {
        switch self.status {
        case .unavailable: self.isWithdrawn ? "withdrawn by itself" : "could not prove that it has it"
        case .suspect: self.reportCount > 0 ? "reported by \(self.reportCount), level \(self.level)" : "could not be asked"
        case .available: self.provedAt > 0 ? "has proven that it has it" : "claims to have it"
        }
    }
}
