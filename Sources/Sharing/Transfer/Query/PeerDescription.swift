public import DIGContent

/// What a peer says about a content hash, checked as far as it can be.
public enum PeerDescription: Hashable, Sendable {
    /// The descriptor hashes to what was asked for.
    case file(FileDescriptor, name: String?)
    /// The listing itself is not fetched yet.
    case folder(name: String?)
    /// It has no such content.
    case notHeld
    /// It does not say, for a reason that may have to do with who asks.
    case refused(UnavailableReason)
}
