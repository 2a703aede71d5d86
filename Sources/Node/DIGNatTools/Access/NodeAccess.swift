public import DIGAccess
public import DIGContent
import DIGIdentity
public import DIGNet
public import DIGStorage
public import DIGTransfer
import Logging
public import ServiceLifecycle
import Synchronization

/// Whom this node serves, and what it proves to others: one for a network, see ``NetworkManager/access``.
///
/// What the owner decides is kept in the node's database. Another process that writes there, such as `dig-nat trust`, is heard from the next decision on, and within
/// ``reviewInterval`` what is open already is looked at again.
public final class NodeAccess: Service, PeerAuthenticator, Sendable {
    /// How often it is looked whether another process has changed anything.
    static let reviewInterval: Duration = .seconds(2)
    /// Tokens remembered; those that are over go first.
    static let maximumTokenCount = 1024
    /// Contents of which it is remembered who refused them.
    static let maximumRefusalCount = 256

    /// Decides.
    public let host: AccessHost
    /// What it goes by.
    public let store: SQLiteAccessStore
    /// As given to the node.
    public let configuration: AuthenticationConfiguration

    private let shared: SharedContentStore
    private let keyPair: KeyPair
    private let client = AccessClient()
    private let logger: Logger
    private let transferHost = Mutex<TransferHost?>(nil)
    private let tokens: Mutex<[AccessToken]>
    private let refusals = Mutex<[ContentHash: [PeerFailure]]>([:])
    private let wakes = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// - Parameters:
    ///   - identity: The key of this node's connections, which signs tokens.
    ///   - ownKey: The key that is shown to others unless the configuration has another.
    init(
        identity: KeyPair, ownKey: KeyPair, policy: AccessPolicy, configuration: AuthenticationConfiguration, database: NodeDatabase, logger: Logger
    ) {
        self.store = SQLiteAccessStore(database: database)
        self.shared = SharedContentStore(database: database)
        self.host = AccessHost(identity: identity, policy: policy, store: self.store, logger: logger)
        self.configuration = configuration
        self.keyPair = configuration.keyPair ?? ownKey
        self.tokens = Mutex(Array(configuration.tokens.suffix(Self.maximumTokenCount)))
        self.logger = logger
    }

    // MARK: Life cycle

    /// Answers `/dig/auth/1.0.0` on `router`, and reviews what `transferHost` has open when something changes; while ``run()`` runs.
    func register(on router: any StreamRouter, transferHost: TransferHost) {
        self.transferHost.withLock { $0 = transferHost }
        self.host.register(on: router)
    }

    func unregister(from router: any StreamRouter) {
        self.host.unregister(from: router)
    }

    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.host.run() }
            group.addTask { await self.review() }
            group.addTask {
                while true {
                    // Cancelled: the node stops.
                    do { try await Task.sleep(for: Self.reviewInterval) } catch { return }
                    self.wakes.continuation.yield()
                }
            }
        }
    }

    /// Looks again at what sessions have open when the database has changed, or a token has ended.
    private func review() async {
        var known: Int64?
        var nextExpiry: UInt64?
        for await _ in self.wakes.stream {
            do {
                let revision = try await self.store.revision()
                let isOver = nextExpiry.map { $0 <= WallClock.nowMilliseconds } ?? false
                nextExpiry = self.host.nextExpiryMilliseconds
                guard known != revision || isOver else { continue }
                // The first time there is nothing to compare with.
                defer { known = revision }
                guard known != nil || isOver, let transferHost = self.transferHost.withLock({ $0 }) else { continue }
                let count = await transferHost.reviewAdmissions()
                if count > 0 { self.logger.info("contents are withdrawn from peers that may not have them any more", metadata: ["dig.node.count": "\(count)"]) }
            } catch {
                self.logger.warning("what peers may have cannot be read", metadata: ["dig.node.error": "\(error)"])
            }
        }
    }

    /// Something was changed here: what is open is looked at again at once.
    func changed() {
        self.wakes.continuation.yield()
    }

    // MARK: What others ask of this node

    /// Remembers a token, to be shown to its host when that asks.
    public func add(_ token: AccessToken) {
        let now = WallClock.nowMilliseconds
        self.tokens.withLock { tokens in
            tokens.removeAll { $0 == token || $0.expiresMilliseconds <= now }
            if tokens.count >= Self.maximumTokenCount { tokens.removeFirst() }
            tokens.append(token)
        }
    }

    /// A fetch begins: earlier refusals do not matter any more, and what its link brings may help.
    ///
    /// - Parameter token: From a link. One that can't be read is as good as none; the holder will say that it wants one.
    func begin(_ content: ContentHash, token: String?) {
        self.refusals.withLock { $0[content] = nil }
        guard let token else { return }
        do throws(AccessError) {
            self.add(try AccessToken(parsing: token))
        } catch {
            self.logger.info("the token of the link can't be read", metadata: ["dig.node.content": "\(content)", "dig.node.error": "\(error)"])
        }
    }

    /// What would be shown to a host.
    private func credentials(for host: PeerID) -> AccessCredentials {
        AccessCredentials(
            keyPair: self.configuration.isAnonymous ? nil : self.keyPair, tokens: self.tokens.withLock { $0.filter { $0.host == host } },
            membership: self.configuration.membership)
    }

    public func authenticate(for content: ContentHash, on connection: any Connection) async throws(TransferError) {
        do {
            guard self.configuration.isEnabled else { throw AccessError.nothingToProve }
            _ = try await self.client.authenticate(on: connection, with: self.credentials(for: connection.remotePeer), for: content)
        } catch {
            let refusal = self.refusal(error)
            self.note(refusal, content, connection.remotePeer)
            throw refusal
        }
        // It was given to this node, and not to everybody; what this node shares itself is another matter.
        if await !self.isShared(content) { self.host.restrict(content) }
        self.refusals.withLock { $0[content]?.removeAll { $0.peer == connection.remotePeer } }
    }

    private func isShared(_ content: ContentHash) async -> Bool {
        do {
            if try await self.shared.share(content) != nil { return true }
            return try await !self.shared.files(with: content).isEmpty
        } catch {
            return false
        }
    }

    private func refusal(_ error: any Error) -> TransferError {
        guard let error = error as? AccessError else {
            return TransferError(.authenticationRequired, "it serves only peers that prove who they are, and that could not be done", cause: error)
        }
        switch error {
        case .nothingToProve, .authenticationRequired, .unsupported:
            return TransferError(.authenticationRequired, "it serves only peers that prove who they are: \(error)")
        case .notTrusted, .notAllowed:
            guard !self.configuration.isAnonymous else { return TransferError(.notAuthorized, "\(error)") }
            return TransferError(.notAuthorized, "\(error) (this node's key is that of \(self.keyPair.peerID))")
        default:
            return TransferError(.notAuthorized, "\(error)")
        }
    }

    /// What a peer says about a content, after this node has proven who it is if the peer asks for that.
    ///
    /// - Throws: As `TransferQuery.description(of:)`; `TransferError` with `.authenticationRequired` or `.notAuthorized` and what is missing.
    public func description(of content: ContentHash, on connection: any Connection) async throws -> PeerDescription {
        let query = TransferQuery(to: connection)
        var description = try await query.description(of: content)
        // Also when it knows this node already: a link may have brought another token, and whoever asks learns what is missing.
        if description == .refused(.authenticationRequired) || (description == .refused(.notAuthorized) && self.configuration.isEnabled) {
            try await self.authenticate(for: content, on: connection)
            description = try await query.description(of: content)
        }
        if case .refused(let reason) = description, reason == .authenticationRequired || reason == .notAuthorized {
            let refusal = TransferError.refusal(reason, by: "it")
            self.note(refusal, content, connection.remotePeer)
            throw refusal
        }
        return description
    }

    /// What a peer knows under a name, after this node has proven who it is if the peer says that there may be more.
    public func bindings(for key: BindingKey, on connection: any Connection) async throws -> [NameBinding] {
        let query = TransferQuery(to: connection)
        let answer = try await query.answer(for: key, nowMilliseconds: WallClock.nowMilliseconds)
        guard answer.withheld == .authenticationRequired, self.configuration.isEnabled else { return answer.bindings }
        do {
            // For what, it does not say.
            _ = try await self.client.authenticate(on: connection, with: self.credentials(for: connection.remotePeer))
        } catch {
            return answer.bindings
        }
        return try await query.bindings(for: key, nowMilliseconds: WallClock.nowMilliseconds)
    }

    // MARK: Errors

    /// Whether an error says that this node may not have something.
    static func isRefusal(_ error: any Error) -> Bool {
        guard let error = error as? TransferError else { return false }
        return error.code == .authenticationRequired || error.code == .notAuthorized
    }

    /// Who has not given a content to this node since its last fetch began, and why.
    func refusals(of content: ContentHash) -> [PeerFailure] { self.refusals.withLock { $0[content] ?? [] } }

    private func note(_ refusal: TransferError, _ content: ContentHash, _ peer: PeerID) {
        self.refusals.withLock { refusals in
            guard refusals[content] != nil || refusals.count < Self.maximumRefusalCount else { return }
            var failures = refusals[content] ?? []
            failures.removeAll { $0.peer == peer }
            guard failures.count < HolderCandidates.maximumCount else { return }
            failures.append(PeerFailure(peer: peer, error: refusal))
            refusals[content] = failures
        }
    }

    /// The error of a fetch, which says what is missing if all that is missing is permission.
    func clarified(_ error: any Error, fetching content: ContentHash) -> any Error {
        var refusals: [PeerFailure] = []
        switch error {
        case let error as TransferError where error.code == .noHolders && !error.peers.isEmpty && error.peers.allSatisfy({ Self.isRefusal($0.error) }):
            refusals = error.peers
        case let error as NodeError where error.code == .unreachable || error.code == .notFound:
            refusals = self.refusals.withLock { $0[content] ?? [] }
        default: return error
        }
        guard let first = refusals.first else { return error }
        let code: TransferError.Code = refusals.contains { $0.error.code == .notAuthorized } ? .notAuthorized : .authenticationRequired
        guard refusals.count > 1 else { return TransferError(code, "\(first.peer) does not give \(content) to this node: \(first.error.message)", cause: first.error.cause) }
        return TransferError(code, "nobody who has \(content) gives it to this node", peers: refusals)
    }
}
