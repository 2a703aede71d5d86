import DIGContent
import DIGIdentity
import NIOCore
import SwiftProtobuf

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Messages ↔ protobuf: the only place that knows the generated types. Whatever is not exactly as it should be is ``AccessError/malformed``.
enum AccessCodec {
    // MARK: Decoding

    static func decodeHello(_ bytes: ByteBuffer) throws(AccessError) -> AccessHello {
        let wire: Dig_Access_V1_Hello = try Self.message(bytes)
        return AccessHello(
            peer: try Self.peer(wire.peerID),
            content: wire.contentHash.isEmpty ? nil : ContentHash(digest: try Self.digest(wire.contentHash)),
            ringDigest: wire.ringDigest.isEmpty ? nil : try Self.bytes(wire.ringDigest, 32...32))
    }

    static func decodeChallenge(_ bytes: ByteBuffer) throws(AccessError) -> AccessChallengeMessage {
        let wire: Dig_Access_V1_Challenge = try Self.message(bytes)
        let challenge = AccessChallenge(
            nonce: try Self.bytes(wire.challenge, AccessChallenge.nonceByteCount...AccessChallenge.nonceByteCount), timestampMilliseconds: wire.timestamp,
            host: try Self.peer(wire.hostID))
        guard wire.hasMembership else { return AccessChallengeMessage(challenge: challenge) }
        let nonce = try Self.bytes(wire.membership.nonce, MembershipChallenge.nonceByteCount...MembershipChallenge.nonceByteCount)
        return AccessChallengeMessage(challenge: challenge, membership: .init(nonce: nonce, expiresMilliseconds: wire.membership.end))
    }

    static func decodeResponse(_ bytes: ByteBuffer) throws(AccessError) -> AccessResponse {
        let wire: Dig_Access_V1_Response = try Self.message(bytes)
        var response = AccessResponse(
            nonce: try Self.bytes(wire.challenge, AccessChallenge.nonceByteCount...AccessChallenge.nonceByteCount), timestampMilliseconds: wire.timestamp)
        if wire.hasIdentity {
            let key: PublicKey
            do { key = try PublicKey(protobufEncoded: [UInt8](wire.identity.publicKey)) } catch { throw .malformed }
            response.identity = .init(
                peer: try Self.peer(wire.identity.peerID), publicKey: key, signature: try Self.bytes(wire.identity.signature, 1...AccessLimits.maximumSignatureByteCount))
        }
        guard wire.tokens.count <= AccessLimits.maximumTokenCount,
            wire.tokens.reduce(0, { $0 + $1.count }) <= AccessLimits.maximumTokensByteCount
        else { throw .malformed }
        for token in wire.tokens { response.tokens.append(try Self.bytes(token, 1...AccessToken.maximumByteCount)) }
        if !wire.membershipProof.isEmpty { response.membershipProof = try Self.bytes(wire.membershipProof, 1...RingSignature.maximumByteCount) }
        return response
    }

    static func decodeVerdict(_ bytes: ByteBuffer) throws(AccessError) -> AccessVerdict {
        let wire: Dig_Access_V1_Verdict = try Self.message(bytes)
        guard wire.tokens.count <= AccessLimits.maximumTokenCount else { throw .malformed }
        var verdict = AccessVerdict()
        verdict.refusal = try Self.refusal(wire.refusal)
        if !wire.identity.isEmpty { verdict.identity = try Self.peer(wire.identity) }
        verdict.isTrusted = wire.trusted
        verdict.isMember = wire.member
        for token in wire.tokens {
            guard let id = AccessTokenID(bytes: [UInt8](token)) else { throw .malformed }
            verdict.tokens.append(id)
        }
        verdict.expiresMilliseconds = wire.end == 0 ? nil : wire.end
        return verdict
    }

    // MARK: Encoding

    static func encode(_ hello: AccessHello) -> ByteBuffer {
        var wire = Dig_Access_V1_Hello()
        wire.peerID = "\(hello.peer)"
        if let content = hello.content { wire.contentHash = Data(content.digest.bytes) }
        if let digest = hello.ringDigest { wire.ringDigest = Data(digest) }
        return Self.buffer(wire)
    }

    static func encode(_ message: AccessChallengeMessage) -> ByteBuffer {
        var wire = Dig_Access_V1_Challenge()
        wire.challenge = Data(message.challenge.nonce)
        wire.timestamp = message.challenge.timestampMilliseconds
        wire.hostID = "\(message.challenge.host)"
        if let membership = message.membership {
            wire.membership.nonce = Data(membership.nonce)
            wire.membership.end = membership.expiresMilliseconds
        }
        return Self.buffer(wire)
    }

    static func encode(_ response: AccessResponse) -> ByteBuffer {
        var wire = Dig_Access_V1_Response()
        wire.challenge = Data(response.nonce)
        wire.timestamp = response.timestampMilliseconds
        if let identity = response.identity {
            wire.identity.peerID = "\(identity.peer)"
            wire.identity.publicKey = Data(identity.publicKey.protobufEncoded)
            wire.identity.signature = Data(identity.signature)
        }
        wire.tokens = response.tokens.map { Data($0) }
        if let proof = response.membershipProof { wire.membershipProof = Data(proof) }
        return Self.buffer(wire)
    }

    static func encode(_ verdict: AccessVerdict) -> ByteBuffer {
        var wire = Dig_Access_V1_Verdict()
        wire.refusal = verdict.refusal.map(Self.wire) ?? .unspecified
        if let identity = verdict.identity { wire.identity = "\(identity)" }
        wire.trusted = verdict.isTrusted
        wire.member = verdict.isMember
        wire.tokens = verdict.tokens.map { Data($0.bytes) }
        wire.end = verdict.expiresMilliseconds ?? 0
        return Self.buffer(wire)
    }

    // MARK: Fields

    private static func message<Wire: SwiftProtobuf.Message>(_ bytes: ByteBuffer) throws(AccessError) -> Wire {
        guard bytes.readableBytes <= AccessLimits.maximumMessageByteCount else { throw .malformed }
        var options = BinaryDecodingOptions()
        options.messageDepthLimit = 4
        options.discardUnknownFields = true
        do { return try Wire(serializedBytes: Array(bytes.readableBytesView), options: options) } catch { throw .malformed }
    }

    private static func buffer(_ wire: some SwiftProtobuf.Message) -> ByteBuffer {
        // Cannot fail: proto3 has no required fields and the messages are far below two gigabytes.
        do { return ByteBuffer(bytes: try wire.serializedBytes() as [UInt8]) } catch { preconditionFailure("\(error)") }
    }

    private static func peer(_ text: String) throws(AccessError) -> PeerID {
        guard text.utf8.count <= AccessLimits.maximumPeerTextByteCount else { throw .malformed }
        do { return try PeerID(text) } catch { throw .malformed }
    }

    private static func digest(_ data: Data) throws(AccessError) -> SHA256Digest {
        guard data.count == SHA256Digest.byteCount, let digest = SHA256Digest(bytes: [UInt8](data)) else { throw .malformed }
        return digest
    }

    private static func bytes(_ data: Data, _ count: ClosedRange<Int>) throws(AccessError) -> [UInt8] {
        guard count.contains(data.count) else { throw .malformed }
        return [UInt8](data)
    }

    private static let refusals: [(Dig_Access_V1_Refusal, AccessError)] = [
        (.authenticationRequired, .authenticationRequired), (.notTrusted, .notTrusted), (.notAllowed, .notAllowed), (.notAMember, .notAMember),
        (.badSignature, .badSignature), (.keyMismatch, .keyMismatch), (.challengeExpired, .challengeExpired), (.challengeReplayed, .challengeReplayed),
        (.clockSkew, .clockSkew), (.malformed, .malformed), (.tokenInvalid, .tokenInvalid), (.tokenExpired, .tokenExpired), (.tokenRevoked, .tokenRevoked),
        (.tokenOfAnotherPeer, .tokenOfAnotherPeer), (.tokenOfAnotherHost, .tokenOfAnotherHost), (.tokenForOtherContent, .tokenForOtherContent),
        (.unavailable, .unavailable), (.tokenNotYetValid, .tokenNotYetValid), (.wrongPeer, .wrongPeer), (.noChannelBinding, .noChannelBinding),
    ]

    /// Nil: none. A refusal that is not known is one all the same.
    private static func refusal(_ wire: Dig_Access_V1_Refusal) throws(AccessError) -> AccessError? {
        if wire == .unspecified { return nil }
        return Self.refusals.first { $0.0 == wire }?.1 ?? .unavailable
    }

    private static func wire(_ refusal: AccessError) -> Dig_Access_V1_Refusal {
        // What only a client can find is not told to clients.
        Self.refusals.first { $0.1 == refusal }?.0 ?? .unavailable
    }
}
