public import DIGContent

/// What a peer says about a content hash, checked as far as it can be.
public enum PeerDescription: Hashable, Sendable {
    /// The descriptor hashes to what was asked for.
    case file(FileDescriptor, name: String?)
    /// The listing itself is not fetched yet.
    case folder(name: String?)
    case notHeld
    case refused(UnavailableReason)
}
