/// Whether a peer may have a content, and why.
public enum AccessDecision: Hashable, Sendable {
    case admitted(AccessGround)
    case refused(AccessError)
}

/// By what a peer was let in.
public enum AccessGround: Hashable, Sendable {
    /// Everybody is.
    case open
    /// It has proven a key, or membership, and the host asks for no more.
    case identity
    /// Its key is on the host's list.
    case trusted
    /// Its key is on the content's list.
    case listed
    /// It is one of the members that the content is for.
    case member
    case token(AccessTokenID)
}
