import DIGIdentity

/// Steps 4 and 5: what came of it.
struct AccessVerdict: Hashable, Sendable {
    /// Nil: accepted.
    var refusal: AccessError?
    /// The key that was proven, whatever else.
    var identity: PeerID?
    var isTrusted = false
    var isMember = false
    /// Those that count.
    var tokens: [AccessTokenID] = []
    /// Unix time by the host's clock: when the first of the tokens ends. Nil: nothing ends before the connection.
    var expiresMilliseconds: UInt64?
}
