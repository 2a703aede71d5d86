public import DIGIdentity
import DIGMultiformats

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The seed's challenge, `{challenge, timestamp, hostId}` in JSON, and what it takes to answer it: version 1 of the signed bytes.
///
/// Nothing binds such an answer to a connection, or to the one who asks: whoever passes challenge and answer on is taken for the one who answered. It is here so
/// that messages of other implementations can be made and checked; `/dig/auth/1.0.0` signs ``AccessChallenge/signedBytes(answeredMilliseconds:prover:key:channelBinding:)``.
public struct SeedChallenge: Hashable, Sendable, Codable {
    /// Of one JSON text.
    public static let maximumByteCount = 8192
    /// 2⁵³ − 1, `Number.MAX_SAFE_INTEGER`.
    static let maximumTimestamp: UInt64 = 9_007_199_254_740_991

    /// Random; used once.
    public var challenge: String
    /// Milliseconds since 1970, by the host's clock.
    public var timestamp: UInt64
    public var hostId: String

    public init(challenge: String, timestamp: UInt64, hostId: String) {
        self.challenge = challenge
        self.timestamp = timestamp
        self.hostId = hostId
    }

    /// - Throws: ``AccessError`` with `.malformed`.
    public init(json: [UInt8]) throws(AccessError) {
        self = try Self.decode(json)
    }

    /// `JSON.stringify({challenge, timestamp, hostId})`.
    public var json: [UInt8] { Self.text(self.challenge, self.timestamp, self.hostId, algorithm: nil) }

    /// What an answer signs: `JSON.stringify({challenge, timestamp, hostId})` with the time stamp of the *answer*, and `algorithm` at the end unless the key is
    /// secp256k1.
    public func signedBytes(answeredMilliseconds: UInt64, algorithm: KeyAlgorithm) -> [UInt8] {
        Self.text(self.challenge, answeredMilliseconds, self.hostId, algorithm: algorithm == .secp256k1 ? nil : algorithm)
    }

    private static func text(_ challenge: String, _ timestamp: UInt64, _ hostId: String, algorithm: KeyAlgorithm?) -> [UInt8] {
        var text = "{\"challenge\":\(SeedJSONText.quoted(challenge)),\"timestamp\":\(timestamp),\"hostId\":\(SeedJSONText.quoted(hostId))"
        if let algorithm { text += ",\"algorithm\":\(SeedJSONText.quoted(algorithm.rawValue))" }
        return Array((text + "}").utf8)
    }

    /// Answers.
    ///
    /// - Throws: ``AccessError`` with `.unavailable` if the key can't sign, or is of a kind that has no name in this form.
    public func answer(with keyPair: KeyPair, nowMilliseconds: UInt64) throws(AccessError) -> SeedResponse {
        guard SeedSignature.algorithms.contains(keyPair.algorithm) else { throw .unavailable }
        let signature: String
        do {
            signature = try SeedSignature.sign(self.signedBytes(answeredMilliseconds: nowMilliseconds, algorithm: keyPair.algorithm), with: keyPair)
        } catch {
            throw .unavailable
        }
        return SeedResponse(
            peerId: "\(keyPair.peerID)", publicKey: Base16.encode(keyPair.publicKey.rawRepresentation), signature: signature, timestamp: nowMilliseconds,
            algorithm: keyPair.algorithm == .secp256k1 ? nil : keyPair.algorithm.rawValue)
    }

    /// Checks an answer. That it is the first to this challenge is for whoever keeps the challenge.
    ///
    /// - Returns: The key that has answered.
    /// - Throws: ``AccessError`` with `.challengeExpired` after 60 seconds, `.clockSkew`, `.keyMismatch`, `.badSignature` or `.malformed`.
    public func verify(_ response: SeedResponse, nowMilliseconds now: UInt64) throws(AccessError) -> PublicKey {
        guard now >= self.timestamp, now - self.timestamp < AccessChallenge.lifetimeMilliseconds else { throw .challengeExpired }
        let stamp = response.timestamp
        guard stamp <= Self.maximumTimestamp else { throw .malformed }
        guard (stamp > now ? stamp - now : now - stamp) <= AccessChallenge.maximumClockSkewMilliseconds else { throw .clockSkew }
        let algorithm: KeyAlgorithm
        if let name = response.algorithm {
            guard let known = KeyAlgorithm(rawValue: name), SeedSignature.algorithms.contains(known) else { throw .malformed }
            algorithm = known
        } else {
            algorithm = .secp256k1
        }
        let key: PublicKey
        do { key = try CryptoIdentity(publicKey: response.publicKey, algorithm: algorithm).publicKey } catch { throw .malformed }
        guard response.peerId == "\(key.peerID)" || response.peerId.lowercased() == "\(key.nodeID)" else { throw .keyMismatch }
        guard let signature = SeedSignature.bytes(hexadecimal: response.signature),
            SeedSignature.isValid(signature, for: self.signedBytes(answeredMilliseconds: stamp, algorithm: algorithm), by: key)
        else { throw .badSignature }
        return key
    }

    static func decode<Value: Decodable>(_ json: [UInt8]) throws(AccessError) -> Value {
        guard json.count <= Self.maximumByteCount else { throw .malformed }
        do { return try JSONDecoder().decode(Value.self, from: Data(json)) } catch { throw .malformed }
    }
}
