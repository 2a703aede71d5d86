public import DIGIdentity

/// Step 2: what is to be signed. The seed's fields, `challenge`, `timestamp` and `hostId`.
public struct AccessChallenge: Hashable, Sendable {
    public static let nonceByteCount = 32
    /// How long an answer is waited for.
    public static let lifetimeMilliseconds: UInt64 = 60_000
    /// How far the clock of whoever answers may be off.
    public static let maximumClockSkewMilliseconds: UInt64 = 120_000

    /// 32 bytes, drawn by the host, for one answer.
    public var nonce: [UInt8]
    /// Unix time by the host's clock.
    public var timestampMilliseconds: UInt64
    public var host: PeerID

    public init(nonce: [UInt8], timestampMilliseconds: UInt64, host: PeerID) {
        self.nonce = nonce
        self.timestampMilliseconds = timestampMilliseconds
        self.host = host
    }

    /// What an answer signs, version 2: no two answers have the same bytes.
    ///
    ///     "dig-nat-tools/auth/2\n" | algorithm, 1 | nonce, 32 | challenged, 8 | answered, 8 | length, 1 | host | length, 1 | prover |
    ///     length, 2 | public key | length, 1 | channel binding
    ///
    /// Numbers are big-endian, times milliseconds of Unix time, ids and the key in libp2p's binary form, the algorithm its number there.
    ///
    /// - Parameters:
    ///   - answeredMilliseconds: The time stamp of the answer.
    ///   - prover: The peer that answers, as the handshake has proven it.
    ///   - key: The key that signs; the prover's, or another one.
    ///   - channelBinding: The hash of the handshake, the same at both ends of this connection and of no other.
    public func signedBytes(answeredMilliseconds: UInt64, prover: PeerID, key: PublicKey, channelBinding: [UInt8]) -> [UInt8] {
        var bytes = Array("dig-nat-tools/auth/2\n".utf8)
        bytes.append(key.algorithm.number)
        bytes += self.nonce
        for time in [self.timestampMilliseconds, answeredMilliseconds] { bytes += (0..<8).map { UInt8(truncatingIfNeeded: time >> UInt64(56 - 8 * $0)) } }
        let encodedKey = key.protobufEncoded
        // Peer ids have at most 42 bytes, keys some 1,100, handshake hashes 32 or 64.
        for id in [self.host.bytes, prover.bytes] { bytes += [UInt8(truncatingIfNeeded: id.count)] + id }
        bytes += [UInt8(truncatingIfNeeded: encodedKey.count >> 8), UInt8(truncatingIfNeeded: encodedKey.count)] + encodedKey
        bytes += [UInt8(truncatingIfNeeded: channelBinding.count)] + channelBinding
        return bytes
    }
}
