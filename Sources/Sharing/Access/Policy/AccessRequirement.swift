/// What an ``AccessPolicy`` asks of a peer.
public enum AccessRequirement: Hashable, Sendable {
    case none
    /// Any key that is proven, a membership, or a token.
    case anyKey
    /// A key on the host's list, or a token.
    case trustedKey
}
