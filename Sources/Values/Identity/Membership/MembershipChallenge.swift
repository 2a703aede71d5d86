/// What a proof of membership is made over: one question, of one peer to another, about one thing, for a short time.
///
/// Both sides put it together from what they know themselves. Only nonce and end go over the wire, so a proof that was made for one
/// connection or one swarm can't be used on another: the verifier there names itself, its peer and its swarm.
public struct MembershipChallenge: Hashable, Sendable {
    public static let nonceByteCount = 32
    /// Ours: room for a name or a content hash.
    public static let maximumContextByteCount = 255

    /// Drawn by the verifier, for once.
    public let nonce: [UInt8]
    /// Unix time by the verifier's clock; from then on the proof is refused.
    public let expiresAtMilliseconds: UInt64
    /// What membership is asked for: the swarm's name, the hash of the content.
    public let context: [UInt8]
    /// The one who asks: for the prover, the peer at the other end of the connection as the handshake has proven it.
    public let verifier: PeerID
    /// The one who answers: the prover's own identity on this connection, which may be one for this connection only.
    public let prover: PeerID

    /// - Throws: ``IdentityError`` with `.invalidRecord` if the nonce has not 32 bytes or the context more than 255.
    public init(
        nonce: [UInt8], expiresAtMilliseconds: UInt64, context: [UInt8], verifier: PeerID, prover: PeerID
    ) throws(IdentityError) {
        guard nonce.count == Self.nonceByteCount, context.count <= Self.maximumContextByteCount else {
            throw IdentityError(.invalidRecord, "a challenge has a nonce of 32 bytes and a context of at most 255")
        }
        self.nonce = nonce
        self.expiresAtMilliseconds = expiresAtMilliseconds
        self.context = context
        self.verifier = verifier
        self.prover = prover
    }

    /// What is signed: no two challenges have the same bytes.
    ///
    ///     domain | nonce, 32 | end, 8, big-endian | length, 1 | verifier | length, 1 | prover | length, 1 | context
    public var bytes: [UInt8] {
        var bytes = Array("dig-nat-tools/membership/1\n".utf8) + self.nonce
        bytes += (0..<8).map { UInt8(truncatingIfNeeded: self.expiresAtMilliseconds >> UInt64(56 - 8 * $0)) }
        // A peer id has at most 42 bytes.
        for part in [self.verifier.bytes, self.prover.bytes, self.context] { bytes += [UInt8(truncatingIfNeeded: part.count)] + part }
        return bytes
    }

    /// Answers with a proof.
    ///
    /// - Parameter ring: The members as the prover knows them. Never a list that the verifier sends: it could have the prover and strangers only.
    /// - Throws: ``IdentityError`` with `.notAMember`, `.unknownChallenge` if it has expired already, `.signingFailed`.
    public func answer(ring: MemberRing, with key: MemberKeyPair, nowMilliseconds: UInt64) throws(IdentityError) -> RingSignature {
        guard nowMilliseconds < self.expiresAtMilliseconds else { throw IdentityError(.unknownChallenge, "the challenge has expired") }
        return try RingSignature.sign(self.bytes, ring: ring, with: key)
    }
}
