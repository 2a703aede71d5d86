import Crypto

/// Asks peers to prove that they are members, and checks the answers. Each challenge is good for one answer of one peer, for a short time.
public struct MembershipVerifier: Sendable {
    /// Ours: as long as a challenge of authenticated hosting.
    public static let defaultLifetime: Duration = .seconds(60)
    /// Ours: some 300 KiB.
    public static let defaultMaximumPendingCount = 1024

    /// The members. A change counts for challenges that have been made already.
    public var ring: MemberRing
    public let verifier: PeerID
    private let lifetimeMilliseconds: UInt64
    private let maximumPendingCount: Int
    /// One for each peer, so that none can have many.
    private var pending: [PeerID: MembershipChallenge] = [:]

    /// - Parameters:
    ///   - verifier: The own identity, under which the provers know this node.
    ///   - lifetime: How long an answer is waited for; 1 s to 10 min.
    ///   - maximumPendingCount: How many peers may owe an answer at a time, at least 1. Of more, the one who was asked first is forgotten.
    public init(
        ring: MemberRing, verifier: PeerID, lifetime: Duration = Self.defaultLifetime, maximumPendingCount: Int = Self.defaultMaximumPendingCount
    ) {
        self.ring = ring
        self.verifier = verifier
        self.lifetimeMilliseconds = UInt64(min(max(lifetime, .seconds(1)), .seconds(600)) / .milliseconds(1))
        self.maximumPendingCount = max(1, maximumPendingCount)
    }

    public var pendingCount: Int { self.pending.count }

    /// Asks `prover`. An earlier challenge of the same peer is forgotten.
    ///
    /// - Parameter context: What membership is asked for, at most 255 bytes.
    /// - Throws: ``IdentityError`` with `.invalidRecord` if the context is too long.
    public mutating func challenge(_ prover: PeerID, context: [UInt8], nowMilliseconds: UInt64) throws(IdentityError) -> MembershipChallenge {
        let nonce = SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }
        let end = nowMilliseconds.addingReportingOverflow(self.lifetimeMilliseconds)
        let challenge = try MembershipChallenge(
            nonce: nonce, expiresAtMilliseconds: end.overflow ? .max : end.partialValue, context: context, verifier: self.verifier, prover: prover)
        if self.pending[prover] == nil, self.pending.count >= self.maximumPendingCount { self.makeRoom(nowMilliseconds: nowMilliseconds) }
        self.pending[prover] = challenge
        return challenge
    }

    /// Checks the answer of `prover`, the peer at the other end of the connection that it came on.
    ///
    /// - Parameter proof: As it came.
    /// - Returns: The challenge that was answered, with the context that the peer is a member for.
    /// - Throws: ``IdentityError`` with `.unknownChallenge` if the peer owes no answer or is too late, `.invalidProof`. The challenge is used up
    ///   in any case.
    public mutating func received(_ proof: some Collection<UInt8>, from prover: PeerID, nowMilliseconds: UInt64) throws(IdentityError) -> MembershipChallenge {
        // Used up first: a peer gets one attempt for each challenge, so guessing and expensive proofs stay bounded.
        guard let challenge = self.pending.removeValue(forKey: prover), nowMilliseconds < challenge.expiresAtMilliseconds else {
            throw IdentityError(.unknownChallenge, "no answer is expected from \(prover), or not any more")
        }
        let signature = try RingSignature(decoding: proof)
        guard signature.isValid(for: challenge.bytes, ring: self.ring) else {
            throw IdentityError(.invalidProof, "the proof is not one of a member of this ring over this challenge")
        }
        return challenge
    }

    /// Forgets what nobody will answer any more.
    public mutating func expire(nowMilliseconds: UInt64) {
        self.pending = self.pending.filter { nowMilliseconds < $0.value.expiresAtMilliseconds }
    }

    /// Forgetting the oldest, not refusing the newest: an honest peer answers in a moment, those who flood do not.
    private mutating func makeRoom(nowMilliseconds: UInt64) {
        self.expire(nowMilliseconds: nowMilliseconds)
        guard self.pending.count >= self.maximumPendingCount else { return }
        if let oldest = self.pending.min(by: { $0.value.expiresAtMilliseconds < $1.value.expiresAtMilliseconds }) { self.pending[oldest.key] = nil }
    }
}
