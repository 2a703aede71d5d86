public import DIGContent
public import DIGIdentity

/// What a host remembers of a token that it has issued: enough to list and to revoke it, not the token itself.
public struct IssuedToken: Hashable, Sendable {
    public var id: AccessTokenID
    /// Empty: everything.
    public var contents: Set<ContentHash>
    public var holder: PeerID?
    /// For the owner of the host.
    public var note: String?
    public var issuedMilliseconds: UInt64
    public var expiresMilliseconds: UInt64
    public var isRevoked: Bool

    public init(
        id: AccessTokenID, contents: Set<ContentHash>, holder: PeerID?, note: String? = nil, issuedMilliseconds: UInt64, expiresMilliseconds: UInt64,
        isRevoked: Bool = false
    ) {
        self.id = id
        self.contents = contents
        self.holder = holder
        self.note = note
        self.issuedMilliseconds = issuedMilliseconds
        self.expiresMilliseconds = expiresMilliseconds
        self.isRevoked = isRevoked
    }

    public init(_ token: AccessToken, note: String? = nil) {
        self.init(
            id: token.id, contents: token.contents, holder: token.holder, note: note, issuedMilliseconds: token.issuedMilliseconds,
            expiresMilliseconds: token.expiresMilliseconds)
    }
}
