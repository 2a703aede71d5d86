public import DIGAccess
public import DIGIdentity

/// What this node proves to hosts that ask who it is.
public struct AuthenticationConfiguration: Sendable {
    /// Whether it proves anything at all. Without, such hosts are left out.
    public var isEnabled = true
    /// The key that is shown, such as a wallet's. Nil: the one of the node's key file, also when a temporary one has its place on connections.
    public var keyPair: KeyPair?
    /// Membership, proven to every host that asks, beside or instead of a key.
    public var membership: AccessCredentials.Membership?
    /// Only membership and tokens are shown, never a key: who this is, is for nobody to know. The connection's own peer id is known all the same.
    public var isAnonymous = false
    /// Each is shown to its own host only. Those of links come by themselves.
    public var tokens: [AccessToken] = []

    public init() {}
}
