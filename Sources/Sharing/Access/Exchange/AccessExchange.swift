import DIGContent
import DIGIdentity

/// Checks answers: what each part of one is worth. Pure but for the time of the signatures.
enum AccessExchange {
    /// What an answer proves, and what was wrong with the rest.
    struct Outcome: Sendable {
        var key: PublicKey?
        var tokens: [AccessToken] = []
        var isMember = false
        /// Of the parts that prove nothing, the first.
        var error: AccessError?
    }

    /// Makes an answer.
    ///
    /// - Parameters:
    ///   - host: The peer at the other end, as the handshake has proven it.
    ///   - prover: This end's.
    /// - Throws: ``AccessError`` with `.wrongHost`: then nothing is signed; `.noChannelBinding`, `.nothingToProve`, `.unavailable` if the key can't sign.
    static func answer(
        _ message: AccessChallengeMessage, with credentials: AccessCredentials, host: PeerID, prover: PeerID, channelBinding: [UInt8], nowMilliseconds: UInt64
    ) throws(AccessError) -> AccessResponse {
        // A challenge in another's name is passed on by somebody in between.
        guard message.challenge.host == host else { throw .wrongHost }
        guard AccessLimits.channelBindingByteCounts.contains(channelBinding.count) else { throw .noChannelBinding }
        var response = AccessResponse(nonce: message.challenge.nonce, timestampMilliseconds: nowMilliseconds)
        if let keyPair = credentials.keyPair {
            let bytes = message.challenge.signedBytes(
                answeredMilliseconds: nowMilliseconds, prover: prover, key: keyPair.publicKey, channelBinding: channelBinding)
            do {
                response.identity = .init(peer: keyPair.peerID, publicKey: keyPair.publicKey, signature: try keyPair.signRecord(bytes))
            } catch {
                throw .unavailable
            }
        }
        var byteCount = 0
        for token in credentials.tokens where token.host == host && response.tokens.count < AccessLimits.maximumTokenCount {
            let encoded = token.encoded
            byteCount += encoded.count
            guard byteCount <= AccessLimits.maximumTokensByteCount else { break }
            response.tokens.append(encoded)
        }
        if let membership = credentials.membership, let question = message.membership {
            do {
                let challenge = try Self.membershipChallenge(question, host: host, prover: prover, channelBinding: channelBinding)
                // Its end is by the host's clock, which is not ours: it is the host that looks at it.
                response.membershipProof = try RingSignature.sign(challenge.bytes, ring: membership.ring, with: membership.key).encoded
            } catch {
                throw error.code == .notAMember ? .notAMember : .unavailable
            }
        }
        guard response.identity != nil || !response.tokens.isEmpty || response.membershipProof != nil else { throw .nothingToProve }
        return response
    }

    /// What membership is proven for: this protocol, on this connection.
    static func membershipContext(_ channelBinding: [UInt8]) -> [UInt8] { Array("dig-auth/1".utf8) + channelBinding.prefix(64) }

    static func membershipChallenge(
        _ question: AccessChallengeMessage.Membership, host: PeerID, prover: PeerID, channelBinding: [UInt8]
    ) throws(IdentityError) -> MembershipChallenge {
        try MembershipChallenge(
            nonce: question.nonce, expiresAtMilliseconds: question.expiresMilliseconds, context: Self.membershipContext(channelBinding), verifier: host,
            prover: prover)
    }

    /// Checks an answer whose challenge has been taken.
    ///
    /// - Parameters:
    ///   - host: This end's.
    ///   - prover: The peer at the other end.
    ///   - known: Keys proven on this connection before: a token may be for one of them.
    ///   - membership: Who asked for membership; nil if nobody did.
    /// - Throws: ``AccessError`` if the answer as a whole is worth nothing: `.keyMismatch`, `.badSignature`, `.noChannelBinding`.
    static func check(
        _ response: AccessResponse, to challenge: AccessChallenge, host: PeerID, prover: PeerID, channelBinding: [UInt8], known: [PublicKey],
        membership: inout MembershipVerifier?, nowMilliseconds: UInt64
    ) throws(AccessError) -> Outcome {
        guard AccessLimits.channelBindingByteCounts.contains(channelBinding.count) else { throw .noChannelBinding }
        var outcome = Outcome()
        if let identity = response.identity {
            guard identity.peer.matches(identity.publicKey) else { throw .keyMismatch }
            let bytes = challenge.signedBytes(
                answeredMilliseconds: response.timestampMilliseconds, prover: prover, key: identity.publicKey, channelBinding: channelBinding)
            guard identity.publicKey.isValidRecordSignature(identity.signature, for: bytes) else { throw .badSignature }
            outcome.key = identity.publicKey
        }
        let holders = Set((known + [outcome.key].compactMap { $0 }).map(\.peerID))
        for encoded in response.tokens {
            do throws(AccessError) {
                let token = try AccessToken(decoding: encoded)
                guard token.host == host else { throw .tokenOfAnotherHost }
                if let holder = token.holder, !holders.contains(holder) { throw .tokenOfAnotherPeer }
                try token.check(nowMilliseconds: nowMilliseconds)
                outcome.tokens.append(token)
            } catch {
                outcome.error = outcome.error ?? error
            }
        }
        if let proof = response.membershipProof {
            do {
                guard var verifier = membership else { throw IdentityError(.unknownChallenge, "membership was not asked for") }
                defer { membership = verifier }
                _ = try verifier.received(proof, from: prover, nowMilliseconds: nowMilliseconds)
                outcome.isMember = true
            } catch {
                outcome.error = outcome.error ?? .notAMember
            }
        }
        return outcome
    }
}
