public import DIGIdentity

/// What to show of a peer that may have a content, and why its status is what it is.
public struct HolderState: Hashable, Sendable {
    public var peer: PeerID
    public var status: PeerContentStatus
    /// What the reports amount to now.
    public var level: ReportLevel
    /// Sum of what the reports weigh, each from 0 to 1.
    public var reportWeight: Double
    /// Reports that are not forgotten yet.
    public var reportCount: Int
    /// False: nobody claims it now, it is remembered for what was.
    public var isClaimed: Bool
    /// The peer has said that it has it no longer.
    public var isWithdrawn: Bool
    /// Until when the claim holds. This and the following in milliseconds since 1970, 0 for never.
    public var claimedUntil: UInt64
    /// When it last proved that it has the content.
    public var provedAt: UInt64
    /// When it was last asked for a proof.
    public var askedAt: UInt64
    /// When the status became what it is.
    public var changedAt: UInt64
    /// Of the peer, whatever content it is about.
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
