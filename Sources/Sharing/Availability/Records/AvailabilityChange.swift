public import DIGContent
public import DIGIdentity

/// What has happened in the table.
public enum AvailabilityChange: Hashable, Sendable {
    /// A peer that was not known as a holder.
    case found(PeerID, ContentHash)
    case statusChanged(PeerID, ContentHash, from: PeerContentStatus, to: PeerContentStatus, on: AvailabilityEvent)
    case withdrawn(PeerID, ContentHash)
    case reported(PeerID, ContentHash, by: PeerID, level: ReportLevel)
    case expired(PeerID, ContentHash)
}
