public import DIGContent
public import DIGIdentity
public import DIGNet
public import DIGTransfer
public import Logging
import NIOCore
import Synchronization

/// Decides whom this node serves: answers `/dig/auth/1.0.0`, remembers what each connection has proven, and is the gate of the transfer host.
///
///     let access = AccessHost(identity: key, policy: .trustedOnly, store: store, logger: logger)
///     let host = TransferHost(provider: registry, gate: access, threadPool: .singleton, logger: logger)
///     access.register(on: swarm)
///     await access.run()
///
/// Everything that goes wrong is a refusal. What a connection has proven ends with it.
public final class AccessHost: ContentGate, Sendable {
    /// One exchange on each stream: hello, challenge, answer, verdict.
    public static let protocolID: ProtocolID = "/dig/auth/1.0.0"

    private struct Session {
        var evidence = AccessEvidence()
        var attempts: TokenBucket
        var hasLoggedRefusal = false
    }

    private struct State {
        var policy: AccessPolicy
        var sessions: [ConnectionID: Session] = [:]
        var challenges = AccessChallenges()
        /// Fetched from others by permission: not for everybody else.
        var restricted: Set<ContentHash> = []
        var statistics = AccessStatistics()
    }

    public let peer: PeerID
    public let store: any AccessStore
    public let configuration: AccessConfiguration
    private let identity: KeyPair
    private let logger: Logger
    private let nowMilliseconds: @Sendable () -> UInt64
    private let inbound: InboundStreams
    private let state: Mutex<State>

    /// - Parameter nowMilliseconds: Unix time. Nil: this machine's clock.
    public init(
        identity: KeyPair, policy: AccessPolicy = .open, store: any AccessStore, configuration: AccessConfiguration = AccessConfiguration(), logger: Logger,
        nowMilliseconds: (@Sendable () -> UInt64)? = nil
    ) {
        self.identity = identity
        self.peer = identity.peerID
        self.store = store
        self.configuration = configuration
        self.logger = logger
        self.nowMilliseconds = nowMilliseconds ?? { WallClock.nowMilliseconds }
        self.inbound = InboundStreams(maximumCount: configuration.maximumExchangeCount, maximumCountPerPeer: configuration.maximumExchangeCountPerPeer)
        self.state = Mutex(State(policy: policy))
        if policy.isContradictory {
            logger.warning("anonymous peers are not accepted though peers need not authenticate: they have to, see AccessPolicy")
        }
    }

    // MARK: Life cycle

    /// Answers the protocol on `router`; while ``run()`` runs.
    public func register(on router: any StreamRouter) {
        router.register(Self.protocolID) { [self] stream, connection in
            stream.eventLoop.makeCompletedFuture {
                let messages = try MessageStream(on: stream, limit: AccessLimits.maximumMessageByteCount, timeout: self.configuration.messageTimeout)
                if !self.inbound.accept(messages, of: connection) { self.state.withLock { $0.statistics.refusedStreamCount += 1 } }
            }
        }
    }

    /// Answers no new exchange on `router`.
    public func unregister(from router: any StreamRouter) {
        router.unregister(Self.protocolID)
    }

    /// Serves peers until the task is cancelled. Once.
    public func run() async {
        await self.inbound.serve { [self] inbound in await self.serve(inbound.messages, of: inbound.connection) }
    }

    // MARK: Deciding

    /// Whom this host serves what has no rule of its own. A change counts from the next decision on.
    public var policy: AccessPolicy {
        get { self.state.withLock { $0.policy } }
        set { self.state.withLock { $0.policy = newValue } }
    }

    public func verdict(for content: ContentHash, on connection: any Connection) async -> GateVerdict {
        switch await self.decision(for: content, on: connection) {
        case .admitted: return .admitted
        case .refused(let error):
            self.noteRefusal(error, content: content, connection: connection)
            switch error {
            case .unavailable: return .refused(.undecided)
            case .authenticationRequired: return .refused(.authenticationRequired)
            // Whoever has proven nothing yet may have more to show; whoever has, has shown it all.
            default: return .refused(self.evidence(on: connection.id).isEmpty ? .authenticationRequired : .notAuthorized)
            }
        }
    }

    /// Whether the peer may have `content`, and why.
    public func decision(for content: ContentHash, on connection: any Connection) async -> AccessDecision {
        await self.decision(for: content, evidence: self.evidence(on: connection.id))
    }

    private func decision(for content: ContentHash, evidence: AccessEvidence) async -> AccessDecision {
        let facts: AccessFacts
        do {
            facts = try await self.store.facts(about: content, keys: evidence.keys, tokens: evidence.tokens.map(\.id))
        } catch {
            self.logger.warning("a peer is refused: what its permission depends on cannot be read", metadata: ["dig.access.error": "\(error)"])
            return .refused(.unavailable)
        }
        let (policy, isRestricted) = self.state.withLock { ($0.policy, $0.restricted.contains(content)) }
        var decider = AccessDecider(policy: policy, facts: facts, evidence: evidence, nowMilliseconds: self.nowMilliseconds())
        if isRestricted {
            // Rules of this host's own say more than that somebody else had one.
            for index in decider.facts.scopes.indices where decider.facts.scopes[index] == AccessScope(content: content) {
                decider.facts.scopes[index].access = .trusted
            }
        }
        return decider.decide(content)
    }

    /// What the peer has proven on a connection.
    public func evidence(on connection: ConnectionID) -> AccessEvidence {
        self.state.withLock { $0.sessions[connection]?.evidence ?? AccessEvidence() }
    }

    /// When the first of the tokens ends that open connections have shown, in Unix time; nil if none does.
    public var nextExpiryMilliseconds: UInt64? {
        let now = self.nowMilliseconds()
        return self.state.withLock { $0.sessions.values.flatMap(\.evidence.tokens).map(\.expiresMilliseconds).filter { $0 > now }.min() }
    }

    public var statistics: AccessStatistics {
        self.state.withLock { state in
            var statistics = state.statistics
            statistics.sessionCount = state.sessions.count
            return statistics
        }
    }

    /// The content was given to this node by permission, and is here in part: until the owner of this node says otherwise, only trusted peers may have it from here.
    public func restrict(_ content: ContentHash) {
        self.state.withLock { state in
            // More than this node fetches at a time; beyond, nothing is passed on by mistake, because the transfer serves what it fetches only meanwhile.
            guard state.restricted.count < 100_000 else { return }
            state.restricted.insert(content)
        }
    }

    /// What was fetched by permission is not served as a part any more.
    public func unrestrict(_ content: ContentHash) {
        self.state.withLock { _ = $0.restricted.remove(content) }
    }

    /// Whether the content was given to this node by permission.
    public func isRestricted(_ content: ContentHash) -> Bool { self.state.withLock { $0.restricted.contains(content) } }

    /// Once for each connection: a peer must not fill the log.
    private func noteRefusal(_ error: AccessError, content: ContentHash, connection: any Connection) {
        let isFirst = self.state.withLock { state in
            state.statistics.refusalCount += 1
            // One that has proven nothing has no entry: most peers are refused once, and then authenticate.
            guard let session = state.sessions[connection.id], !session.hasLoggedRefusal else { return false }
            state.sessions[connection.id]?.hasLoggedRefusal = true
            return true
        }
        guard isFirst else { return }
        self.logger.info(
            "a peer may not have a content",
            metadata: ["dig.access.peer": "\(connection.remotePeer)", "dig.access.content": "\(content)", "dig.access.reason": "\(error)"])
    }

    // MARK: Tokens

    /// Signs a token and remembers it, so that it can be listed and revoked.
    ///
    /// - Parameters:
    ///   - contents: Empty: everything this node shares. At most ``AccessToken/maximumContentCount``.
    ///   - holder: Who may use it. Nil: whoever has it.
    ///   - lifetime: At least a second; a hundred years at most.
    ///   - note: For the owner of this node.
    /// - Throws: ``AccessError`` with `.malformed`, `.unavailable`; what the store throws.
    public func issueToken(contents: Set<ContentHash>, holder: PeerID? = nil, lifetime: Duration, note: String? = nil) async throws -> AccessToken {
        let now = self.nowMilliseconds()
        let lifetime = UInt64(min(max(lifetime, .seconds(1)), .seconds(100 * 366 * 86_400)) / .milliseconds(1))
        let token = try AccessToken(
            contents: contents, holder: holder, issuedMilliseconds: now, expiresMilliseconds: now &+ lifetime, signedBy: self.identity)
        // Remembered first: one that can't be revoked is not given away.
        try await self.store.add(IssuedToken(token, note: note), nowMilliseconds: now)
        return token
    }

    /// Makes a token worthless from the next decision on.
    ///
    /// - Returns: Whether it was known here and good.
    @discardableResult
    public func revokeToken(_ id: AccessTokenID) async throws -> Bool {
        // One that is not known is remembered for as long as any could last.
        try await self.store.revoke(id, expiresMilliseconds: UInt64(Int64.max))
    }

    // MARK: Answering

    private func serve(_ messages: MessageStream, of connection: any Connection) async {
        do {
            let verdict: AccessVerdict
            do throws(AccessError) {
                verdict = try await self.exchange(messages, with: connection)
            } catch {
                self.state.withLock { $0.statistics.failedExchangeCount += 1 }
                self.logger.debug("a peer has proven nothing", metadata: ["dig.access.peer": "\(connection.remotePeer)", "dig.access.reason": "\(error)"])
                verdict = AccessVerdict(refusal: error)
            }
            try await messages.write(AccessCodec.encode(verdict)).get()
            messages.finish()
            // The peer ends the stream when it has read the verdict; a reset might overtake that.
            _ = try await messages.read().get()
        } catch {
            // As it should: nothing follows.
        }
    }

    private func exchange(_ messages: MessageStream, with connection: any Connection) async throws(AccessError) -> AccessVerdict {
        guard self.admitsAttempt(on: connection) else { throw .unavailable }
        let (prover, binding) = (connection.remotePeer, connection.channelBinding)
        let hello = try AccessCodec.decodeHello(try await Self.next(messages))
        guard hello.peer == prover else { throw .wrongPeer }

        let nonce = SecureBytes.draw(AccessChallenge.nonceByteCount)
        let issued = self.nowMilliseconds()
        let challenge = self.state.withLock { $0.challenges.issue(to: connection.id, from: self.peer, nonce: nonce, nowMilliseconds: issued) }
        var message = AccessChallengeMessage(challenge: challenge)
        var membership: MembershipVerifier?
        if let digest = hello.ringDigest, let ring = try await self.ring(digest) {
            var verifier = MembershipVerifier(ring: ring, verifier: self.peer)
            do throws(IdentityError) {
                let question = try verifier.challenge(prover, context: AccessExchange.membershipContext(binding), nowMilliseconds: issued)
                message.membership = .init(nonce: question.nonce, expiresMilliseconds: question.expiresAtMilliseconds)
            } catch {
                throw .unavailable
            }
            membership = verifier
        }
        do { try await messages.write(AccessCodec.encode(message)).get() } catch { throw .unavailable }

        let response = try AccessCodec.decodeResponse(try await Self.next(messages))
        let now = self.nowMilliseconds()
        let taken = try self.state.withLock { state throws(AccessError) in
            try state.challenges.take(response, on: connection.id, nowMilliseconds: now)
        }
        // The list of members may have changed since.
        if let digest = hello.ringDigest, membership != nil, try await self.ring(digest) == nil { membership = nil }
        let outcome = try AccessExchange.check(
            response, to: taken, host: self.peer, prover: prover, channelBinding: binding, known: self.evidence(on: connection.id).keys, membership: &membership,
            nowMilliseconds: now)

        let evidence = self.remember(outcome, ring: hello.ringDigest, on: connection)
        return try await self.verdict(outcome, evidence: evidence, content: hello.content)
    }

    private func ring(_ digest: [UInt8]) async throws(AccessError) -> MemberRing? {
        do { return try await self.store.ring(digest: digest) } catch { throw .unavailable }
    }

    private static func next(_ messages: MessageStream) async throws(AccessError) -> ByteBuffer {
        do { return try await messages.read().get() } catch { throw .malformed }
    }

    /// Counts an attempt; false at a limit.
    private func admitsAttempt(on connection: any Connection) -> Bool {
        let id = connection.id
        let limit = Double(max(1, self.configuration.attemptsPerMinute))
        let (isAdmitted, isNew) = self.state.withLock { state in
            let isNew = state.sessions[id] == nil
            if isNew {
                guard state.sessions.count < self.configuration.maximumSessionCount else { return (false, false) }
                state.sessions[id] = Session(attempts: TokenBucket(rate: limit / 60, burst: limit, now: .now))
            }
            return (state.sessions[id]?.attempts.take(now: .now) ?? false, isNew)
        }
        if isNew {
            connection.closeFuture.whenComplete { [weak self] _ in
                self?.state.withLock { state in
                    state.sessions[id] = nil
                    state.challenges.closed(id)
                }
            }
        }
        return isAdmitted
    }

    /// Keeps what was proven, with what was before.
    private func remember(_ outcome: AccessExchange.Outcome, ring: [UInt8]?, on connection: any Connection) -> AccessEvidence {
        self.state.withLock { state in
            // Closed meanwhile: nothing is kept for nobody.
            guard var session = state.sessions[connection.id] else { return AccessEvidence() }
            if let key = outcome.key { session.evidence.add(key) }
            for token in outcome.tokens { session.evidence.add(token) }
            if outcome.isMember, let ring { session.evidence.add(ringDigest: ring) }
            state.sessions[connection.id] = session
            state.statistics.exchangeCount += 1
            return session.evidence
        }
    }

    private func verdict(_ outcome: AccessExchange.Outcome, evidence: AccessEvidence, content: ContentHash?) async throws(AccessError) -> AccessVerdict {
        var verdict = AccessVerdict()
        verdict.identity = outcome.key?.peerID
        verdict.isMember = outcome.isMember
        let facts: AccessFacts
        do {
            facts = try await self.store.facts(
                about: content ?? ContentHash(digest: .zero), keys: evidence.keys, tokens: outcome.tokens.map(\.id))
        } catch {
            throw .unavailable
        }
        if let peer = verdict.identity { verdict.isTrusted = facts.trusted.contains(peer) }
        let tokens = outcome.tokens.filter { !facts.revoked.contains($0.id) }
        verdict.tokens = tokens.map(\.id)
        verdict.expiresMilliseconds = tokens.map(\.expiresMilliseconds).min()
        let tokenError = outcome.error ?? (tokens.count < outcome.tokens.count ? .tokenRevoked : nil)
        if let content {
            // What is wrong with a token says more than that there is none.
            if case .refused(let error) = await self.decision(for: content, evidence: evidence) { verdict.refusal = outcome.error ?? error }
        } else if outcome.key == nil, tokens.isEmpty, !outcome.isMember {
            verdict.refusal = tokenError ?? .authenticationRequired
        } else if self.policy.requirement == .trustedKey, !verdict.isTrusted, tokens.isEmpty, !outcome.isMember {
            verdict.refusal = tokenError ?? .notTrusted
        }
        return verdict
    }
}
