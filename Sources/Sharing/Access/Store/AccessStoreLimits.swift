/// Bounds of what an ``AccessStore`` keeps.
public enum AccessStoreLimits {
    public static let trustedPeerCount = 10_000
    public static let accessListCount = 100_000
    public static let ringCount = 256
    /// Tokens that are not over, revoked ones included.
    public static let tokenCount = 100_000
    /// Folders looked at for one file.
    public static let scopeCount = 64
    /// Of a peer's or a ring's name, or a note, in UTF-8.
    public static let nameByteCount = 255
}
