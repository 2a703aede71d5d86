public import DIGNet

/// What happens while a peer is being reached, for whoever shows progress.
public enum TraversalEvent: Sendable {
    case started(TraversalMethod)
    case ended(AttemptRecord)
    /// The first time by whatever path; once more if a direct path took the place of a relayed one.
    case connected(any Connection, by: TraversalMethod)
}
