/// Whether a peer can be dialed from anywhere.
public enum ConnectionTier: String, Hashable, Sendable, CaseIterable {
    /// Proven: somebody who did not know the peer before got through to it. It serves files directly and relays for others.
    case directCapable = "direct-capable"
    /// Proven: nobody gets through from outside. It dials out, and is reached by punching or through a relay.
    case natRestricted = "nat-restricted"
    case unknown
}
