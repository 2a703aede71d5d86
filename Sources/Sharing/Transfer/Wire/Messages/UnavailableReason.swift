/// Why a host does not deliver.
public enum UnavailableReason: Hashable, Sendable, CaseIterable {
    /// A reason that this version does not know.
    case unspecified
    /// The host does not hold it (any more).
    case notHeld
    /// The file changed on disk since it was hashed.
    case changed
    /// The host could not read the file.
    case unreadable
    /// The host is at a limit; ask again later.
    case busy
    /// The host does not serve that chunk layer.
    case layerUnsupported
    /// The request lies outside the content, or makes no sense for it.
    case outOfRange
    /// The host serves it to peers that prove who they are (`/dig/auth/1.0.0`), and this one has not.
    case authenticationRequired
    /// The host knows who asks, and does not serve it to this peer.
    case notAuthorized

    /// Whether it is about who asks, and not about what is there.
    var isAboutThePeer: Bool { self == .authenticationRequired || self == .notAuthorized }
}
