import DIGContent
import DIGIdentity
import DIGMultiformats
import Testing

@testable import DIGAccess

@Suite("Access exchange")
struct AccessExchangeTests {
    static let now: UInt64 = 1_700_000_000_000
    let host: KeyPair
    let client: KeyPair
    let binding = [UInt8](repeating: 0xb1, count: 32)
    let challenge: AccessChallenge

    init() throws {
        self.host = try KeyPair.generate()
        self.client = try KeyPair.generate()
        self.challenge = AccessChallenge(nonce: (0..<32).map { UInt8($0) }, timestampMilliseconds: Self.now, host: self.host.peerID)
    }

    func answer(_ credentials: AccessCredentials? = nil, question: AccessChallengeMessage.Membership? = nil) throws -> AccessResponse {
        try AccessExchange.answer(
            AccessChallengeMessage(challenge: self.challenge, membership: question), with: credentials ?? AccessCredentials(keyPair: self.client),
            host: self.host.peerID, prover: self.client.peerID, channelBinding: self.binding, nowMilliseconds: Self.now + 5)
    }

    func check(
        _ response: AccessResponse, challenge: AccessChallenge? = nil, host: PeerID? = nil, prover: PeerID? = nil, binding: [UInt8]? = nil, known: [PublicKey] = []
    ) throws(AccessError) -> AccessExchange.Outcome {
        var membership: MembershipVerifier?
        return try AccessExchange.check(
            response, to: challenge ?? self.challenge, host: host ?? self.host.peerID, prover: prover ?? self.client.peerID, channelBinding: binding ?? self.binding,
            known: known, membership: &membership, nowMilliseconds: Self.now + 10)
    }

    // MARK: Keys

    @Test("what is signed has every part at its place")
    func bytes() throws {
        let bytes = self.challenge.signedBytes(
            answeredMilliseconds: Self.now + 5, prover: self.client.peerID, key: self.client.publicKey, channelBinding: self.binding)
        var expected = Array("dig-nat-tools/auth/2\n".utf8) + [1] + self.challenge.nonce
        expected += [0, 0, 0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x00] + [0, 0, 0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x05]
        expected += [38] + self.host.peerID.bytes + [38] + self.client.peerID.bytes + [0, 36] + self.client.publicKey.protobufEncoded + [32] + self.binding
        #expect(bytes == expected)
    }

    @Test("a key of every kind proves itself, the connection's own or another", arguments: KeyAlgorithm.allCases)
    func keys(_ algorithm: KeyAlgorithm) throws {
        let key = try KeyPair.generate(algorithm, rsaKeySize: 2048)
        let response = try self.answer(AccessCredentials(keyPair: key))
        #expect(response.identity?.peer == key.peerID)
        let outcome = try self.check(response)
        #expect(outcome.key == key.publicKey && outcome.error == nil)
    }

    @Test("an answer on another connection is worth nothing: whoever passes it on is not let in by it")
    func channelBinding() throws {
        let response = try self.answer()
        #expect(throws: AccessError.badSignature) { try self.check(response, binding: [UInt8](repeating: 0xb2, count: 32)) }
        #expect(throws: AccessError.badSignature) { try self.check(response, prover: self.host.peerID) }
        #expect(throws: AccessError.badSignature) { try self.check(response, host: self.client.peerID, binding: self.binding + [0]) }
    }

    @Test("a connection without a binding is none to prove anything on", arguments: [0, 1, 31, 256])
    func noBinding(_ count: Int) throws {
        let binding = [UInt8](repeating: 1, count: count)
        #expect(throws: AccessError.noChannelBinding) {
            try AccessExchange.answer(
                AccessChallengeMessage(challenge: self.challenge), with: AccessCredentials(keyPair: self.client), host: self.host.peerID, prover: self.client.peerID,
                channelBinding: binding, nowMilliseconds: Self.now)
        }
        let response = try self.answer()
        #expect(throws: AccessError.noChannelBinding) { try self.check(response, binding: binding) }
    }

    @Test("nothing is signed for a challenge in another's name")
    func wrongHost() throws {
        let mallory = try KeyPair.generate().peerID
        #expect(throws: AccessError.wrongHost) {
            try AccessExchange.answer(
                AccessChallengeMessage(challenge: self.challenge), with: AccessCredentials(keyPair: self.client), host: mallory, prover: self.client.peerID,
                channelBinding: self.binding, nowMilliseconds: Self.now)
        }
    }

    @Test("a signature over any other challenge, time, name or key is none")
    func changed() throws {
        let response = try self.answer()
        var other = self.challenge
        other.nonce[31] ^= 1
        #expect(throws: AccessError.badSignature) { try self.check(response, challenge: other) }
        other = self.challenge
        other.timestampMilliseconds += 1
        #expect(throws: AccessError.badSignature) { try self.check(response, challenge: other) }
        other = self.challenge
        other.host = self.client.peerID
        #expect(throws: AccessError.badSignature) { try self.check(response, challenge: other) }
        var changed = response
        changed.timestampMilliseconds += 1
        #expect(throws: AccessError.badSignature) { try self.check(changed) }
        changed = response
        changed.identity?.signature[0] ^= 1
        #expect(throws: AccessError.badSignature) { try self.check(changed) }
        changed.identity?.signature = []
        #expect(throws: AccessError.badSignature) { try self.check(changed) }
        // Another's key, in its own name or in the first one's.
        let thief = try KeyPair.generate()
        changed = response
        changed.identity = .init(peer: thief.peerID, publicKey: thief.publicKey, signature: response.identity?.signature ?? [])
        #expect(throws: AccessError.badSignature) { try self.check(changed) }
        changed.identity = .init(peer: self.client.peerID, publicKey: thief.publicKey, signature: response.identity?.signature ?? [])
        #expect(throws: AccessError.keyMismatch) { try self.check(changed) }
    }

    @Test("the same key on the same challenge signs nothing that is good for the seed's form, or the other way round")
    func separated() throws {
        let seed = SeedChallenge(challenge: Base16.encode(self.challenge.nonce), timestamp: Self.now, hostId: "\(self.host.peerID)")
        let signed = seed.signedBytes(answeredMilliseconds: Self.now + 5, algorithm: .ed25519)
        let v2 = self.challenge.signedBytes(
            answeredMilliseconds: Self.now + 5, prover: self.client.peerID, key: self.client.publicKey, channelBinding: self.binding)
        #expect(signed.first != v2.first)
        var response = try self.answer()
        response.identity?.signature = try self.client.sign(signed)
        #expect(throws: AccessError.badSignature) { try self.check(response) }
    }

    @Test("without anything to show, no answer is made")
    func nothing() throws {
        #expect(throws: AccessError.nothingToProve) { try self.answer(AccessCredentials(keyPair: nil)) }
    }

    // MARK: Tokens

    func token(_ contents: Set<ContentHash> = [], holder: PeerID? = nil, host: KeyPair? = nil, issued: UInt64 = now - 1000, end: UInt64 = now + 1000) throws -> AccessToken {
        try AccessToken(contents: contents, holder: holder, issuedMilliseconds: issued, expiresMilliseconds: end, signedBy: host ?? self.host)
    }

    @Test("a token for the key that answers counts, and one for whoever has it, also without a key")
    func tokens() throws {
        let mine = try self.token(holder: self.client.peerID)
        let bearer = try self.token([hash(1)])
        let outcome = try self.check(self.answer(AccessCredentials(keyPair: self.client, tokens: [mine, bearer])))
        #expect(outcome.tokens == [mine, bearer] && outcome.error == nil)
        let anonymous = try self.check(self.answer(AccessCredentials(keyPair: nil, tokens: [bearer])))
        #expect(anonymous.tokens == [bearer] && anonymous.key == nil)
        // Proven on this connection before.
        var response = try self.answer(AccessCredentials(keyPair: nil, tokens: [bearer]))
        response.tokens = [mine.encoded]
        #expect(try self.check(response, known: [self.client.publicKey]).tokens == [mine])
    }

    @Test("a stolen token of another peer is worth nothing, and the thief's key is still only its own")
    func stolen() throws {
        let victim = try KeyPair.generate().peerID
        let stolen = try self.token(holder: victim)
        let outcome = try self.check(self.answer(AccessCredentials(keyPair: self.client, tokens: [stolen])))
        #expect(outcome.tokens.isEmpty && outcome.error == .tokenOfAnotherPeer && outcome.key == self.client.publicKey)
        let anonymous = try self.check(self.answer(AccessCredentials(keyPair: nil, tokens: [stolen])))
        #expect(anonymous.tokens.isEmpty && anonymous.error == .tokenOfAnotherPeer)
    }

    @Test("tokens of other hosts, over, too early or damaged are worth nothing, each with its reason")
    func badTokens() throws {
        let other = try KeyPair.generate()
        let cases: [(AccessToken, AccessError)] = [
            (try self.token(host: other), .tokenOfAnotherHost), (try self.token(end: Self.now + 10), .tokenExpired),
            (try self.token(issued: Self.now + 130_000, end: Self.now + 200_000), .tokenNotYetValid),
        ]
        for (token, error) in cases {
            var response = try self.answer()
            response.tokens = [token.encoded]
            let outcome = try self.check(response)
            #expect(outcome.tokens.isEmpty && outcome.error == error)
        }
        var response = try self.answer()
        response.tokens = [[1, 2, 3]]
        #expect(try self.check(response).error == .tokenInvalid)
    }

    @Test("a token is shown to its own host only, and never more than a message takes")
    func shown() throws {
        let other = try self.token(host: KeyPair.generate())
        #expect(try self.answer(AccessCredentials(keyPair: self.client, tokens: [other])).tokens.isEmpty)
        #expect(throws: AccessError.nothingToProve) { try self.answer(AccessCredentials(keyPair: nil, tokens: [other])) }
        let many = try (0..<20).map { _ in try self.token() }
        #expect(try self.answer(AccessCredentials(keyPair: self.client, tokens: many)).tokens.count == AccessLimits.maximumTokenCount)
    }

    // MARK: Membership

    struct Club {
        let key: MemberKeyPair
        let ring: MemberRing

        init(_ identity: KeyPair) throws {
            self.key = try MemberKeyPair(identity)
            self.ring = try MemberRing([self.key.publicKey] + (0..<3).map { _ in try MemberKeyPair(KeyPair.generate()).publicKey })
        }
    }

    func prove(
        _ credentials: AccessCredentials, asked ring: MemberRing, prover: PeerID? = nil, binding: [UInt8]? = nil, checks: Int = 1, at now: UInt64 = now
    ) throws -> [AccessExchange.Outcome] {
        var verifier: MembershipVerifier? = MembershipVerifier(ring: ring, verifier: self.host.peerID)
        let question = try #require(
            try verifier?.challenge(self.client.peerID, context: AccessExchange.membershipContext(self.binding), nowMilliseconds: Self.now))
        let response = try self.answer(credentials, question: .init(nonce: question.nonce, expiresMilliseconds: question.expiresAtMilliseconds))
        return try (0..<checks).map { _ in
            try AccessExchange.check(
                response, to: self.challenge, host: self.host.peerID, prover: prover ?? self.client.peerID, channelBinding: binding ?? self.binding, known: [],
                membership: &verifier, nowMilliseconds: now)
        }
    }

    @Test("a member proves membership without a key of its own")
    func member() throws {
        let club = try Club(KeyPair.generate())
        let outcome = try #require(try self.prove(AccessCredentials(keyPair: nil, membership: .init(key: club.key, ring: club.ring)), asked: club.ring).first)
        #expect(outcome.isMember && outcome.key == nil && outcome.error == nil)
    }

    @Test("a second answer to the same question, a late one, and one on another connection or by another peer prove nothing")
    func replayed() throws {
        let club = try Club(KeyPair.generate())
        let credentials = AccessCredentials(keyPair: nil, membership: .init(key: club.key, ring: club.ring))
        let twice = try self.prove(credentials, asked: club.ring, checks: 2)
        #expect(twice.map(\.isMember) == [true, false])
        #expect(twice.last?.error == .notAMember)
        #expect(try self.prove(credentials, asked: club.ring, at: Self.now + 60_000).first?.isMember == false)
        #expect(try self.prove(credentials, asked: club.ring, prover: KeyPair.generate().peerID).first?.isMember == false)
    }

    @Test("a proof in another ring proves nothing in this one, and a stranger can make none")
    func otherRing() throws {
        let club = try Club(KeyPair.generate())
        let other = try Club(KeyPair.generate())
        let outcome = try self.prove(AccessCredentials(keyPair: nil, membership: .init(key: club.key, ring: club.ring)), asked: other.ring).first
        #expect(outcome?.isMember == false && outcome?.error == .notAMember)
        let stranger = try MemberKeyPair(KeyPair.generate())
        #expect(throws: AccessError.notAMember) {
            try self.prove(AccessCredentials(keyPair: nil, membership: .init(key: stranger, ring: club.ring)), asked: club.ring)
        }
    }

    @Test("a question relayed from another connection is answered for this one only")
    func relayedQuestion() throws {
        let club = try Club(KeyPair.generate())
        var verifier: MembershipVerifier? = MembershipVerifier(ring: club.ring, verifier: self.host.peerID)
        // Asked on a connection with another binding.
        let question = try #require(
            try verifier?.challenge(self.client.peerID, context: AccessExchange.membershipContext([UInt8](repeating: 9, count: 32)), nowMilliseconds: Self.now))
        let response = try self.answer(
            AccessCredentials(keyPair: nil, membership: .init(key: club.key, ring: club.ring)),
            question: .init(nonce: question.nonce, expiresMilliseconds: question.expiresAtMilliseconds))
        let outcome = try AccessExchange.check(
            response, to: self.challenge, host: self.host.peerID, prover: self.client.peerID, channelBinding: self.binding, known: [], membership: &verifier,
            nowMilliseconds: Self.now)
        #expect(!outcome.isMember && outcome.error == .notAMember)
    }

    @Test("a proof that nobody asked for proves nothing")
    func unasked() throws {
        var response = try self.answer()
        response.membershipProof = [1, 2, 3]
        let outcome = try self.check(response)
        #expect(!outcome.isMember && outcome.error == .notAMember && outcome.key != nil)
    }
}
