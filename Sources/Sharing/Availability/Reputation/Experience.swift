/// What this node has seen of a peer itself. Nothing else moves a reputation.
public enum Experience: Hashable, Sendable {
    /// Verified data came.
    case transferred(byteCount: UInt64, over: Duration)
    /// The peer did not have what it claims to have.
    case missing
    /// The transfer failed for another reason that lies with the peer.
    case failed
    /// Data came that is not what was asked for.
    case corrupt
    /// It could be reached.
    case connected
    /// It could not be reached.
    case unreachable
    /// A connection ended in the middle of something.
    case dropped
    /// It proved that it has a content.
    case proved
    /// It did not.
    case disproved
    /// What it has reported of another proved true.
    case reportConfirmed
    /// What it has reported of another proved false.
    case reportRefuted
}
