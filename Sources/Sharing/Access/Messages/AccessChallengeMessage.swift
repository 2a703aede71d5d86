/// Step 2 on the wire.
struct AccessChallengeMessage: Hashable, Sendable {
    struct Membership: Hashable, Sendable {
        /// 32 bytes.
        var nonce: [UInt8]
        var expiresMilliseconds: UInt64
    }

    var challenge: AccessChallenge
    /// Nil: the host does not know the ring.
    var membership: Membership?
}
