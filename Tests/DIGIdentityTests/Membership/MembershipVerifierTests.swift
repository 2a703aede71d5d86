import DIGIdentity
import Testing

@Suite("Membership verifier")
struct MembershipVerifierTests {
    let members: [MemberKeyPair]
    let ring: MemberRing
    let host: PeerID
    let guest: PeerID
    let context = Array("swarm".utf8)
    let now: UInt64 = 1_790_000_000_000

    init() throws {
        self.members = try MemberRingTests.members(3)
        self.ring = try MemberRing(self.members.map(\.publicKey))
        self.host = try KeyPair.generate().peerID
        self.guest = try KeyPair.generate().peerID
    }

    private var verifier: MembershipVerifier { MembershipVerifier(ring: self.ring, verifier: self.host) }

    /// As the prover puts the challenge together: from what came over the wire and what it knows itself.
    private func answer(
        _ challenge: MembershipChallenge, as member: MemberKeyPair? = nil, ring: MemberRing? = nil, verifier: PeerID? = nil, prover: PeerID? = nil,
        context: [UInt8]? = nil
    ) throws -> [UInt8] {
        let own = try MembershipChallenge(
            nonce: challenge.nonce, expiresAtMilliseconds: challenge.expiresAtMilliseconds, context: context ?? self.context,
            verifier: verifier ?? self.host, prover: prover ?? self.guest)
        return try own.answer(ring: ring ?? self.ring, with: member ?? self.members[0], nowMilliseconds: self.now).encoded
    }

    @Test("lets every member in, once for each challenge")
    func lets() throws {
        var verifier = self.verifier
        for member in self.members {
            let challenge = try verifier.challenge(self.guest, context: self.context, nowMilliseconds: self.now)
            #expect(challenge.expiresAtMilliseconds == self.now + 60_000)
            let proof = try self.answer(challenge, as: member)
            #expect(try verifier.received(proof, from: self.guest, nowMilliseconds: self.now + 59_999).context == self.context)
            // The same proof again.
            #expect(throws: IdentityError(.unknownChallenge, "")) { try verifier.received(proof, from: self.guest, nowMilliseconds: self.now) }
            #expect(verifier.pendingCount == 0)
        }
    }

    @Test("a proof over an earlier challenge is refused")
    func replay() throws {
        var verifier = self.verifier
        let first = try verifier.challenge(self.guest, context: self.context, nowMilliseconds: self.now)
        let proof = try self.answer(first)
        _ = try verifier.received(proof, from: self.guest, nowMilliseconds: self.now)
        let second = try verifier.challenge(self.guest, context: self.context, nowMilliseconds: self.now)
        #expect(first.nonce != second.nonce)
        #expect(throws: IdentityError(.invalidProof, "")) { try verifier.received(proof, from: self.guest, nowMilliseconds: self.now) }
    }

    @Test("a proof of somebody who is no member is refused")
    func stranger() throws {
        var verifier = self.verifier
        let challenge = try verifier.challenge(self.guest, context: self.context, nowMilliseconds: self.now)
        let stranger = try MemberRingTests.members(1)[0]
        #expect(throws: IdentityError(.notAMember, "")) { try self.answer(challenge, as: stranger) }
        let own = try MemberRing(self.members.dropFirst().map(\.publicKey) + [stranger.publicKey])
        let proof = try self.answer(challenge, as: stranger, ring: own)
        #expect(throws: IdentityError(.invalidProof, "")) { try verifier.received(proof, from: self.guest, nowMilliseconds: self.now) }
    }

    @Test("a proof for another ring, host, peer or swarm is refused", arguments: 0..<4)
    func bound(kind: Int) throws {
        var verifier = self.verifier
        let challenge = try verifier.challenge(self.guest, context: self.context, nowMilliseconds: self.now)
        let other = try KeyPair.generate().peerID
        let proof = switch kind {
        case 0: try self.answer(challenge, ring: try MemberRing(self.members.dropLast().map(\.publicKey)))
        // Another host that hands the challenge of this one on, to be let in with the answer.
        case 1: try self.answer(challenge, verifier: other)
        case 2: try self.answer(challenge, prover: other)
        default: try self.answer(challenge, context: Array("another swarm".utf8))
        }
        #expect(throws: IdentityError(.invalidProof, "")) { try verifier.received(proof, from: self.guest, nowMilliseconds: self.now) }
    }

    @Test("a proof that another peer brings is refused, and its owner's is still expected")
    func stolen() throws {
        var verifier = self.verifier
        let proof = try self.answer(try verifier.challenge(self.guest, context: self.context, nowMilliseconds: self.now))
        let thief = try KeyPair.generate().peerID
        #expect(throws: IdentityError(.unknownChallenge, "")) { try verifier.received(proof, from: thief, nowMilliseconds: self.now) }
        _ = try verifier.challenge(thief, context: self.context, nowMilliseconds: self.now)
        #expect(throws: IdentityError(.invalidProof, "")) { try verifier.received(proof, from: thief, nowMilliseconds: self.now) }
        _ = try verifier.received(proof, from: self.guest, nowMilliseconds: self.now)
    }

    @Test("a late answer is refused, and a late question is not answered")
    func late() throws {
        var verifier = self.verifier
        let challenge = try verifier.challenge(self.guest, context: self.context, nowMilliseconds: self.now)
        let proof = try self.answer(challenge)
        #expect(throws: IdentityError(.unknownChallenge, "")) { try verifier.received(proof, from: self.guest, nowMilliseconds: self.now + 60_000) }
        #expect(throws: IdentityError(.unknownChallenge, "")) {
            try challenge.answer(ring: self.ring, with: self.members[0], nowMilliseconds: challenge.expiresAtMilliseconds)
        }
    }

    @Test("one wrong answer uses the challenge up")
    func oneAttempt() throws {
        var verifier = self.verifier
        let proof = try self.answer(try verifier.challenge(self.guest, context: self.context, nowMilliseconds: self.now))
        #expect(throws: IdentityError(.invalidProof, "")) { try verifier.received([1, 2, 3], from: self.guest, nowMilliseconds: self.now) }
        #expect(throws: IdentityError(.unknownChallenge, "")) { try verifier.received(proof, from: self.guest, nowMilliseconds: self.now) }
    }

    @Test("a member that was taken off the list is not let in with a challenge from before")
    func removed() throws {
        var verifier = self.verifier
        let proof = try self.answer(try verifier.challenge(self.guest, context: self.context, nowMilliseconds: self.now))
        verifier.ring = try MemberRing(self.members.dropFirst().map(\.publicKey))
        #expect(throws: IdentityError(.invalidProof, "")) { try verifier.received(proof, from: self.guest, nowMilliseconds: self.now) }
    }

    @Test("remembers a bounded number of questions, one for each peer, and forgets the oldest")
    func bounded() throws {
        var verifier = MembershipVerifier(ring: self.ring, verifier: self.host, maximumPendingCount: 3)
        let first = try verifier.challenge(self.guest, context: self.context, nowMilliseconds: self.now)
        for offset in 1...10 { _ = try verifier.challenge(self.host, context: self.context, nowMilliseconds: self.now + UInt64(offset)) }
        #expect(verifier.pendingCount == 2)
        for offset in 11...12 { _ = try verifier.challenge(try KeyPair.generate().peerID, context: self.context, nowMilliseconds: self.now + UInt64(offset)) }
        #expect(verifier.pendingCount == 3)
        let proof = try self.answer(first)
        #expect(throws: IdentityError(.unknownChallenge, "")) { try verifier.received(proof, from: self.guest, nowMilliseconds: self.now + 20) }
        verifier.expire(nowMilliseconds: self.now + 60_012)
        #expect(verifier.pendingCount == 0)
    }

    @Test("a context that is too long is refused; the end of time is no trap")
    func extremes() throws {
        var verifier = self.verifier
        #expect(throws: IdentityError(.invalidRecord, "")) {
            try verifier.challenge(self.guest, context: [UInt8](repeating: 0, count: 256), nowMilliseconds: self.now)
        }
        #expect(try verifier.challenge(self.guest, context: [UInt8](repeating: 0, count: 255), nowMilliseconds: .max).expiresAtMilliseconds == .max)
        for lifetime in [Duration.zero, .seconds(-5), .seconds(1 << 40)] {
            var short = MembershipVerifier(ring: self.ring, verifier: self.host, lifetime: lifetime, maximumPendingCount: -1)
            let challenge = try short.challenge(self.guest, context: [], nowMilliseconds: 0)
            #expect((1000...600_000).contains(challenge.expiresAtMilliseconds))
        }
        #expect(throws: IdentityError(.invalidRecord, "")) {
            try MembershipChallenge(nonce: [1], expiresAtMilliseconds: 0, context: [], verifier: self.host, prover: self.guest)
        }
    }

    @Test("two challenges never have the same bytes")
    func unambiguous() throws {
        let nonce = [UInt8](repeating: 1, count: 32)
        let rsa = try KeyPair.generate(.rsa, rsaKeySize: 2048).peerID
        var seen = Set<[UInt8]>()
        var count = 0
        for verifier in [self.host, self.guest, rsa] {
            for prover in [self.host, self.guest, rsa] {
                for context in [[], [0], self.host.bytes, self.guest.bytes] {
                    for end in [UInt64.min, 1, 256, .max] {
                        seen.insert(try MembershipChallenge(nonce: nonce, expiresAtMilliseconds: end, context: context, verifier: verifier, prover: prover).bytes)
                        count += 1
                    }
                }
            }
        }
        #expect(seen.count == count)
    }
}
