/// What a search has to tell.
public enum DiscoveryEvent: Hashable, Sendable {
    /// A holder, for the first time or with something new: a further address or mechanism. It takes the place of what was told about the same peer.
    case found(DiscoveredHolder)
    /// A mechanism has ended, this long after it was asked.
    case ended(DiscoverySource, DiscoveryOutcome, Duration)
}
