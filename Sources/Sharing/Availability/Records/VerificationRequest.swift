public import DIGContent
public import DIGIdentity

/// A holder to be asked for a proof.
public struct VerificationRequest: Hashable, Sendable {
    public var peer: PeerID
    public var content: ContentHash
    /// To be given back with the outcome.
    public var number: UInt64
}

/// What came of it.
public enum VerificationOutcome: Hashable, Sendable {
    /// A block that we picked came with its proof.
    case proved
    /// The peer answered, and had none.
    case disproved
    /// The peer could not be asked, or did not answer in time.
    case unanswered
    /// This node could not ask, for a reason of its own; it does not count as a try.
    case postponed
}
