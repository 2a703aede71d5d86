public import DIGContent
public import DIGIdentity

/// What a host's owner has decided. Asked anew for every decision, so that what another process puts into the same database counts from the next one on.
public protocol AccessStore: Sendable {
    // MARK: Deciding

    /// What matters for one decision, as of one moment.
    ///
    /// - Parameters:
    ///   - content: What is asked for.
    ///   - keys: What has been proven.
    ///   - tokens: What has been shown.
    func facts(about content: ContentHash, keys: [PublicKey], tokens: [AccessTokenID]) async throws -> AccessFacts

    /// The ring with this digest, if a content is for its members or it is kept under a name.
    func ring(digest: [UInt8]) async throws -> MemberRing?

    /// Grows, or at least changes, whenever something is changed here, by whatever process.
    func revision() async throws -> Int64

    // MARK: Trusted peers

    /// In the order of their names and ids.
    func trustedPeers() async throws -> [TrustedPeer]
    func trustedPeer(_ peer: PeerID) async throws -> TrustedPeer?
    /// Adds the peer, or replaces what was known of it.
    ///
    /// - Throws: ``AccessError`` with `.unavailable` if there are too many, see ``AccessStoreLimits``.
    func trust(_ peer: TrustedPeer) async throws
    /// - Returns: Whether it was on the list.
    @discardableResult
    func removeTrusted(_ peer: PeerID) async throws -> Bool

    // MARK: Access lists

    /// Nil: no rule of its own.
    func access(of content: ContentHash) async throws -> ContentAccess?
    /// - Parameter access: Nil or `.everyone`: no rule of its own any more.
    func setAccess(_ access: ContentAccess?, of content: ContentHash) async throws
    func accessLists() async throws -> [ContentHash: ContentAccess]

    // MARK: Members

    func rings() async throws -> [NamedRing]
    /// - Parameter ring: Nil: forgets the name. Contents that are for its members stay so.
    func setRing(_ ring: MemberRing?, name: String) async throws

    // MARK: Tokens

    /// Remembers a token that is about to be given away. Those that are over are forgotten.
    func add(_ token: IssuedToken, nowMilliseconds: UInt64) async throws
    /// The newest first.
    func issuedTokens() async throws -> [IssuedToken]
    /// From now on the token is worthless, also one that is not known here.
    ///
    /// - Parameter expiresMilliseconds: Until when that has to be remembered, for one that is not known here.
    /// - Returns: Whether it was known and not revoked.
    @discardableResult
    func revoke(_ token: AccessTokenID, expiresMilliseconds: UInt64) async throws -> Bool
}
