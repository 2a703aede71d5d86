public import DIGIdentity

/// What a peer can prove who it is with.
public struct AccessCredentials: Sendable {
    /// Signs challenges. It may be another key than the connection's, such as a wallet's. Nil: this peer does not say who it is, and shows tokens
    /// and membership only.
    public var keyPair: KeyPair?
    /// Each is shown to its own host only.
    public var tokens: [AccessToken]
    /// Membership, to be proven without saying which member. The connection's own peer id is known to the host all the same.
    public var membership: Membership?

    public struct Membership: Sendable {
        public var key: MemberKeyPair
        /// The members as this peer knows them; never a list that a host sends.
        public var ring: MemberRing

        public init(key: MemberKeyPair, ring: MemberRing) {
            self.key = key
            self.ring = ring
        }
    }

    public init(keyPair: KeyPair?, tokens: [AccessToken] = [], membership: Membership? = nil) {
        self.keyPair = keyPair
        self.tokens = tokens
        self.membership = membership
    }
}
