import DIGAccess
import DIGContent
import DIGIdentity
import Testing

@Suite("Access decisions")
struct AccessDeciderTests {
    /// What a peer may have shown.
    enum Caller: CaseIterable {
        case nobody, unknownKey, trustedKey, listedKey, member, otherMember, token, tokenForEverything, otherToken, expiredToken, revokedToken
    }

    static let content = hash(1)
    let host: KeyPair
    let unknown: PublicKey
    let trusted: PublicKey
    let listed: PublicKey
    let ring: MemberRing
    let token: AccessToken
    let everything: AccessToken
    let other: AccessToken
    let expired: AccessToken
    let revoked: AccessToken

    init() throws {
        let host = try KeyPair.generate()
        self.host = host
        self.unknown = try KeyPair.generate().publicKey
        self.trusted = try KeyPair.generate().publicKey
        self.listed = try KeyPair.generate().publicKey
        self.ring = try MemberRing([MemberKeyPair(KeyPair.generate()).publicKey])
        func token(_ contents: Set<ContentHash>, end: UInt64 = 10_000) throws -> AccessToken {
            try AccessToken(contents: contents, issuedMilliseconds: 1, expiresMilliseconds: end, signedBy: host)
        }
        self.token = try token([Self.content])
        self.everything = try token([])
        self.other = try token([hash(2)])
        self.expired = try token([Self.content], end: 5000)
        self.revoked = try token([Self.content])
    }

    func evidence(_ caller: Caller) -> AccessEvidence {
        var evidence = AccessEvidence()
        switch caller {
        case .nobody: break
        case .unknownKey: evidence.add(self.unknown)
        case .trustedKey: evidence.add(self.trusted)
        case .listedKey: evidence.add(self.listed)
        case .member: evidence.add(ringDigest: self.ring.digest)
        case .otherMember: evidence.add(ringDigest: [UInt8](repeating: 7, count: 32))
        case .token: evidence.add(self.token)
        case .tokenForEverything: evidence.add(self.everything)
        case .otherToken: evidence.add(self.other)
        case .expiredToken: evidence.add(self.expired)
        case .revokedToken: evidence.add(self.revoked)
        }
        return evidence
    }

    func decide(_ policy: AccessPolicy, _ access: ContentAccess, _ caller: Caller) -> AccessDecision {
        self.decide(policy, [AccessScope(content: Self.content, access: access)], self.evidence(caller))
    }

    func decide(_ policy: AccessPolicy, _ scopes: [AccessScope], _ evidence: AccessEvidence) -> AccessDecision {
        let facts = AccessFacts(scopes: scopes, trusted: [self.trusted.peerID], revoked: [self.revoked.id])
        return AccessDecider(policy: policy, facts: facts, evidence: evidence, nowMilliseconds: 5000).decide(Self.content)
    }

    static let open = AccessPolicy(requirePeerAuthentication: false, acceptAnonymousPeers: true)
    static let anyKey = AccessPolicy(requirePeerAuthentication: true, acceptAnonymousPeers: true)
    static let trustedOnly = AccessPolicy(requirePeerAuthentication: true, acceptAnonymousPeers: false)
    static let contradictory = AccessPolicy(requirePeerAuthentication: false, acceptAnonymousPeers: false)

    @Test("an open host serves everybody, whatever is shown; a good token is counted as what it is")
    func rowOpen() {
        for caller in Caller.allCases where caller != .token && caller != .tokenForEverything {
            #expect(self.decide(Self.open, .everyone, caller) == .admitted(.open), "\(caller)")
        }
        #expect(self.decide(Self.open, .everyone, .token) == .admitted(.token(self.token.id)))
    }

    @Test("a host that takes any key wants one, or a membership, or a token for the content")
    func rowAnyKey() {
        let expected: [Caller: AccessDecision] = [
            .nobody: .refused(.authenticationRequired), .unknownKey: .admitted(.identity), .trustedKey: .admitted(.identity), .listedKey: .admitted(.identity),
            .member: .admitted(.identity), .otherMember: .admitted(.identity), .token: .admitted(.token(self.token.id)),
            .tokenForEverything: .admitted(.token(self.everything.id)), .otherToken: .refused(.tokenForOtherContent),
            .expiredToken: .refused(.tokenExpired), .revokedToken: .refused(.tokenRevoked),
        ]
        for caller in Caller.allCases { #expect(self.decide(Self.anyKey, .everyone, caller) == expected[caller], "\(caller)") }
    }

    @Test("a host for trusted keys lets in those and tokens; so does one whose switches contradict each other", arguments: [trustedOnly, contradictory])
    func rowTrusted(_ policy: AccessPolicy) {
        let expected: [Caller: AccessDecision] = [
            .nobody: .refused(.authenticationRequired), .unknownKey: .refused(.notTrusted), .trustedKey: .admitted(.trusted), .listedKey: .refused(.notTrusted),
            .member: .refused(.notTrusted), .otherMember: .refused(.notTrusted), .token: .admitted(.token(self.token.id)),
            .tokenForEverything: .admitted(.token(self.everything.id)), .otherToken: .refused(.tokenForOtherContent),
            .expiredToken: .refused(.tokenExpired), .revokedToken: .refused(.tokenRevoked),
        ]
        for caller in Caller.allCases { #expect(self.decide(policy, .everyone, caller) == expected[caller], "\(caller)") }
    }

    @Test("a content's own rule takes the place of the policy, whichever that is", arguments: [open, anyKey, trustedOnly, contradictory])
    func ownRules(_ policy: AccessPolicy) {
        for caller in Caller.allCases {
            let (trusted, only, members): (AccessDecision, AccessDecision, AccessDecision) =
                switch caller {
                case .nobody: (.refused(.authenticationRequired), .refused(.authenticationRequired), .refused(.authenticationRequired))
                case .unknownKey: (.refused(.notTrusted), .refused(.notAllowed), .refused(.notAMember))
                case .trustedKey: (.admitted(.trusted), .refused(.notAllowed), .refused(.notAMember))
                case .listedKey: (.refused(.notTrusted), .admitted(.listed), .refused(.notAMember))
                case .member: (.refused(.notTrusted), .refused(.notAllowed), .admitted(.member))
                case .otherMember: (.refused(.notTrusted), .refused(.notAllowed), .refused(.notAMember))
                case .token: (.admitted(.token(self.token.id)), .admitted(.token(self.token.id)), .admitted(.token(self.token.id)))
                case .tokenForEverything:
                    (.admitted(.token(self.everything.id)), .admitted(.token(self.everything.id)), .admitted(.token(self.everything.id)))
                case .otherToken: (.refused(.tokenForOtherContent), .refused(.tokenForOtherContent), .refused(.tokenForOtherContent))
                case .expiredToken: (.refused(.tokenExpired), .refused(.tokenExpired), .refused(.tokenExpired))
                case .revokedToken: (.refused(.tokenRevoked), .refused(.tokenRevoked), .refused(.tokenRevoked))
                }
            #expect(self.decide(policy, .trusted, caller) == trusted, "\(caller)")
            #expect(self.decide(policy, .only([self.listed.peerID]), caller) == only, "\(caller)")
            #expect(self.decide(policy, .members(of: self.ring), caller) == members, "\(caller)")
        }
    }

    @Test("a list of nobody lets in tokens only")
    func nobody() {
        #expect(self.decide(Self.open, .only([]), .trustedKey) == .refused(.notAllowed))
        #expect(self.decide(Self.open, .only([]), .token) == .admitted(.token(self.token.id)))
    }

    @Test("a file in folders is let out by any of them, and a folder's token is good for it")
    func folders() {
        let restricted = AccessScope(content: hash(8), access: .only([]))
        let open = AccessScope(content: hash(9), access: .everyone)
        #expect(self.decide(Self.open, [restricted], self.evidence(.trustedKey)) == .refused(.notAllowed))
        #expect(self.decide(Self.open, [restricted, open], self.evidence(.nobody)) == .admitted(.open))
        let folder = AccessScope(content: hash(2), access: .only([]))
        #expect(self.decide(Self.open, [folder], self.evidence(.otherToken)) == .admitted(.token(self.other.id)))
    }

    @Test("without a scope nobody is let in, not even with a token")
    func noScope() {
        for caller in Caller.allCases where caller != .token && caller != .tokenForEverything {
            if case .admitted = self.decide(Self.open, [], self.evidence(caller)) { Issue.record("\(caller)") }
        }
        #expect(self.decide(Self.open, [], self.evidence(.token)) == .refused(.unavailable))
    }

    @Test("a good token beside bad ones counts")
    func several() {
        var evidence = self.evidence(.expiredToken)
        evidence.add(self.revoked)
        evidence.add(self.token)
        #expect(self.decide(Self.trustedOnly, [AccessScope(content: Self.content)], evidence) == .admitted(.token(self.token.id)))
    }

    @Test("what is remembered of a connection is bounded, and the newest stays")
    func bounded() throws {
        var evidence = AccessEvidence()
        var last: PublicKey?
        for _ in 0..<10 {
            let key = try KeyPair.generate().publicKey
            evidence.add(key)
            last = key
        }
        for number in 0..<10 { evidence.add(ringDigest: [UInt8](repeating: UInt8(number), count: 32)) }
        for _ in 0..<40 { evidence.add(try AccessToken(contents: [], issuedMilliseconds: 1, expiresMilliseconds: 2, signedBy: self.host)) }
        #expect(evidence.keys.count == AccessEvidence.maximumKeyCount && evidence.keys.last == last)
        #expect(evidence.rings.count == AccessEvidence.maximumRingCount)
        #expect(evidence.tokens.count == AccessEvidence.maximumTokenCount)
    }
}
