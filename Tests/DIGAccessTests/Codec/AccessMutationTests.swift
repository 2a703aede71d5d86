import DIGContent
import DIGIdentity
import DIGTestSupport
import NIOCore
import Testing

@testable import DIGAccess

@Suite("Access messages, mutated")
struct AccessMutationTests {
    @Test("no change of a message traps, and none makes another key's answer, or another permission, out of it", arguments: 0..<4)
    func mutations(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let (host, client) = (try KeyPair.generate(), try KeyPair.generate())
        let binding = [UInt8](repeating: 7, count: 32)
        let challenge = AccessChallenge(nonce: [UInt8](repeating: 1, count: 32), timestampMilliseconds: 1_000_000, host: host.peerID)
        let token = try AccessToken(contents: [hash(1)], holder: client.peerID, issuedMilliseconds: 900_000, expiresMilliseconds: 2_000_000, signedBy: host)
        let member = try MemberKeyPair(client)
        let ring = try MemberRing([member.publicKey, MemberKeyPair(host).publicKey])
        var verifier: MembershipVerifier? = MembershipVerifier(ring: ring, verifier: host.peerID)
        let question = try #require(
            try verifier?.challenge(client.peerID, context: AccessExchange.membershipContext(binding), nowMilliseconds: 1_000_000))
        let message = AccessChallengeMessage(
            challenge: challenge, membership: .init(nonce: question.nonce, expiresMilliseconds: question.expiresAtMilliseconds))
        let response = try AccessExchange.answer(
            message, with: AccessCredentials(keyPair: client, tokens: [token], membership: .init(key: member, ring: ring)), host: host.peerID, prover: client.peerID,
            channelBinding: binding, nowMilliseconds: 1_000_001)
        let bytes = Array(AccessCodec.encode(response).readableBytesView)
        for _ in 0..<1500 {
            let mutated = ByteBuffer(bytes: random.mutated(bytes))
            do throws(AccessError) {
                let decoded = try AccessCodec.decodeResponse(mutated)
                var fresh = verifier
                let outcome = try AccessExchange.check(
                    decoded, to: challenge, host: host.peerID, prover: client.peerID, channelBinding: binding, known: [], membership: &fresh, nowMilliseconds: 1_000_002)
                #expect(outcome.key == nil || outcome.key == client.publicKey)
                #expect(outcome.tokens.allSatisfy { $0 == token })
                if outcome.isMember { #expect(decoded.membershipProof == response.membershipProof) }
            } catch {
                #expect([.malformed, .badSignature, .keyMismatch].contains(error))
            }
        }
        let others = [
            Array(AccessCodec.encode(AccessHello(peer: client.peerID, content: hash(1), ringDigest: ring.digest)).readableBytesView),
            Array(AccessCodec.encode(message).readableBytesView),
            Array(AccessCodec.encode(AccessVerdict(refusal: .notTrusted, identity: client.peerID, tokens: [token.id], expiresMilliseconds: 5)).readableBytesView),
        ]
        for original in others {
            for _ in 0..<1000 {
                let mutated = ByteBuffer(bytes: random.mutated(original))
                // None may trap; what they say is for the other tests.
                _ = try? AccessCodec.decodeHello(mutated)
                _ = try? AccessCodec.decodeChallenge(mutated)
                _ = try? AccessCodec.decodeVerdict(mutated)
            }
        }
        for _ in 0..<2000 {
            if let mutated = try? AccessToken(decoding: random.mutated(token.encoded)) { #expect(mutated == token) }
        }
    }
}
