public import DIGContent
public import DIGIdentity
import Synchronization

/// Forgets everything with the process.
public final class MemoryAccessStore: AccessStore {
    private struct State {
        var trusted: [PeerID: TrustedPeer] = [:]
        var lists: [ContentHash: ContentAccess] = [:]
        var folders: [ContentHash: [ContentHash]] = [:]
        var rings: [String: MemberRing] = [:]
        var tokens: [AccessTokenID: IssuedToken] = [:]
        var revision: Int64 = 0
    }

    private let state = Mutex(State())

    public init() {}

    /// Says that `file` is shared as a part of `folder`, and not by itself.
    public func add(_ file: ContentHash, in folder: ContentHash) {
        self.change { $0.folders[file, default: []].append(folder) }
    }

    private func change<Value>(_ body: (inout State) throws -> Value) rethrows -> Value {
        try self.state.withLock { state in
            state.revision += 1
            return try body(&state)
        }
    }

    public func facts(about content: ContentHash, keys: [PublicKey], tokens: [AccessTokenID]) async throws -> AccessFacts {
        self.state.withLock { state in
            let scopes: [AccessScope]
            if let own = state.lists[content] {
                scopes = [AccessScope(content: content, access: own)]
            } else if let folders = state.folders[content], !folders.isEmpty {
                scopes = folders.prefix(AccessStoreLimits.scopeCount).map { AccessScope(content: $0, access: state.lists[$0] ?? .everyone) }
            } else {
                scopes = [AccessScope(content: content)]
            }
            return AccessFacts(
                scopes: scopes, trusted: Set(keys.filter { state.trusted[$0.peerID]?.publicKey == $0 }.map(\.peerID)),
                revoked: Set(tokens.filter { state.tokens[$0]?.isRevoked == true }))
        }
    }

    public func ring(digest: [UInt8]) async throws -> MemberRing? {
        self.state.withLock { state in
            if let ring = state.rings.values.first(where: { $0.digest == digest }) { return ring }
            for case .members(let ring) in state.lists.values where ring.digest == digest { return ring }
            return nil
        }
    }

    public func revision() async throws -> Int64 { self.state.withLock { $0.revision } }

    public func trustedPeers() async throws -> [TrustedPeer] {
        self.state.withLock { $0.trusted.values.sorted { ($0.name ?? "", $0.peer) < ($1.name ?? "", $1.peer) } }
    }

    public func trustedPeer(_ peer: PeerID) async throws -> TrustedPeer? { self.state.withLock { $0.trusted[peer] } }

    public func trust(_ peer: TrustedPeer) async throws {
        try self.change { state in
            guard state.trusted[peer.peer] != nil || state.trusted.count < AccessStoreLimits.trustedPeerCount else { throw AccessError.unavailable }
            state.trusted[peer.peer] = peer
        }
    }

    public func removeTrusted(_ peer: PeerID) async throws -> Bool { self.change { $0.trusted.removeValue(forKey: peer) != nil } }

    public func access(of content: ContentHash) async throws -> ContentAccess? { self.state.withLock { $0.lists[content] } }

    public func setAccess(_ access: ContentAccess?, of content: ContentHash) async throws {
        try self.change { state in
            guard let access, access != .everyone else {
                state.lists[content] = nil
                return
            }
            guard state.lists[content] != nil || state.lists.count < AccessStoreLimits.accessListCount else { throw AccessError.unavailable }
            state.lists[content] = access
        }
    }

    public func accessLists() async throws -> [ContentHash: ContentAccess] { self.state.withLock { $0.lists } }

    public func rings() async throws -> [NamedRing] {
        self.state.withLock { $0.rings.sorted { $0.key < $1.key }.map { NamedRing(name: $0.key, ring: $0.value) } }
    }

    public func setRing(_ ring: MemberRing?, name: String) async throws {
        try self.change { state in
            guard ring == nil || state.rings[name] != nil || state.rings.count < AccessStoreLimits.ringCount else { throw AccessError.unavailable }
            state.rings[name] = ring
        }
    }

    public func add(_ token: IssuedToken, nowMilliseconds: UInt64) async throws {
        try self.change { state in
            state.tokens = state.tokens.filter { nowMilliseconds < $0.value.expiresMilliseconds }
            guard state.tokens.count < AccessStoreLimits.tokenCount else { throw AccessError.unavailable }
            state.tokens[token.id] = token
        }
    }

    public func issuedTokens() async throws -> [IssuedToken] {
        self.state.withLock { $0.tokens.values.sorted { $0.issuedMilliseconds > $1.issuedMilliseconds } }
    }

    public func revoke(_ token: AccessTokenID, expiresMilliseconds: UInt64) async throws -> Bool {
        self.change { state in
            let known = state.tokens[token]
            state.tokens[token] =
                known ?? IssuedToken(id: token, contents: [], holder: nil, issuedMilliseconds: 0, expiresMilliseconds: expiresMilliseconds)
            state.tokens[token]?.isRevoked = true
            return known?.isRevoked == false
        }
    }
}
