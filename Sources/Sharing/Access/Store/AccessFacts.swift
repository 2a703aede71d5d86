public import DIGIdentity

/// What an ``AccessStore`` knows that matters for one decision.
public struct AccessFacts: Hashable, Sendable {
    /// By what the content is shared, at least one: itself, or folders that it is in. It is enough to be let in by one of them.
    public var scopes: [AccessScope]
    /// Which of the keys asked about are on the list, with this very key.
    public var trusted: Set<PeerID>
    /// Which of the tokens asked about have been taken back.
    public var revoked: Set<AccessTokenID>

    public init(scopes: [AccessScope], trusted: Set<PeerID> = [], revoked: Set<AccessTokenID> = []) {
        self.scopes = scopes
        self.trusted = trusted
        self.revoked = revoked
    }
}
