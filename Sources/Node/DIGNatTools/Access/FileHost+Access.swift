public import DIGAccess
public import DIGContent
public import DIGIdentity
import DIGStorage

/// Whom this host serves: the whitepaper's `AuthenticatedFileHost`. What is decided here is remembered in the node's database, and holds for every process that uses it.
extension FileHost {
    private var accessStore: SQLiteAccessStore { self.network.access.store }

    // MARK: Trusted peers

    /// Puts a peer on the list: the whitepaper's `addTrustedPeer(peerId, publicKey)`.
    ///
    /// - Parameters:
    ///   - publicKey: The peer's. Nil: the one in its id, which ids of RSA and P-256 keys have not.
    ///   - name: For the owner of this node.
    /// - Throws: `AccessError` with `.keyMismatch` if the key is not the peer's, or is needed; `StorageError`.
    public func addTrustedPeer(_ peer: PeerID, publicKey: PublicKey? = nil, name: String? = nil) async throws {
        guard let key = publicKey ?? peer.publicKey else { throw AccessError.keyMismatch }
        try await self.accessStore.trust(TrustedPeer(peer: peer, publicKey: key, name: name))
        self.network.access.changed()
    }

    /// Whether a peer is on the list, with this very key if one is given: the whitepaper's `isTrustedPeer(peerId, publicKey)`.
    public func isTrustedPeer(_ peer: PeerID, publicKey: PublicKey? = nil) async throws -> Bool {
        guard let trusted = try await self.accessStore.trustedPeer(peer) else { return false }
        return publicKey.map { $0 == trusted.publicKey } ?? true
    }

    /// Takes a peer off the list. What it has open and may not have any more is withdrawn.
    ///
    /// - Returns: Whether it was on the list.
    @discardableResult
    public func removeTrustedPeer(_ peer: PeerID) async throws -> Bool {
        let wasTrusted = try await self.accessStore.removeTrusted(peer)
        self.network.access.changed()
        return wasTrusted
    }

    public var trustedPeers: [TrustedPeer] {
        get async throws { try await self.accessStore.trustedPeers() }
    }

    // MARK: Access lists

    /// Says who may have a content. Of a folder it holds for the files in it, unless they are shared otherwise, too.
    ///
    /// - Parameter access: `.everyone`: whomever the policy lets in.
    public func setAccess(_ access: ContentAccess, of content: ContentHash) async throws {
        try await self.accessStore.setAccess(access, of: content)
        self.network.access.host.unrestrict(content)
        self.network.access.changed()
    }

    /// Who may have a content.
    public func access(of content: ContentHash) async throws -> ContentAccess {
        try await self.accessStore.access(of: content) ?? .everyone
    }

    // MARK: Grants

    /// Signs a permission, which can be put into a link.
    ///
    /// - Parameters:
    ///   - contents: For what. Empty: everything that this node shares.
    ///   - holder: Who may use it. Nil: whoever has it, so that it is as good as a secret.
    ///   - lifetime: Until when.
    ///   - note: For the owner of this node.
    public func grant(_ contents: Set<ContentHash>, to holder: PeerID? = nil, for lifetime: Duration, note: String? = nil) async throws -> AccessToken {
        try await self.network.access.host.issueToken(contents: contents, holder: holder, lifetime: lifetime, note: note)
    }

    /// Takes a permission back. What peers have open by it is withdrawn.
    ///
    /// - Returns: Whether it was known here and good.
    @discardableResult
    public func revoke(_ token: AccessTokenID) async throws -> Bool {
        let wasGood = try await self.network.access.host.revokeToken(token)
        self.network.access.changed()
        return wasGood
    }

    /// The permissions that are not over, the newest first.
    public var grants: [IssuedToken] {
        get async throws { try await self.accessStore.issuedTokens() }
    }

    // MARK: Sharing

    /// What is about to be shared from `path` may be had by whom its owner says, or said of what was there before: a folder that gains a file has another
    /// hash, and is still not for everybody. Called before it is shared, so that nobody is served in between.
    func restrict(_ content: ContentHash, at path: String, to access: ContentAccess?) async throws {
        self.network.access.host.unrestrict(content)
        if let access {
            try await self.accessStore.setAccess(access, of: content)
        } else if try await self.accessStore.access(of: content) == nil, let inherited = try await self.accessStore.access(ofShareAt: path) {
            try await self.accessStore.setAccess(inherited, of: content)
        }
        self.network.access.changed()
    }
}
