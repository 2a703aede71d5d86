/// Which reading of the seed holds.
public struct AvailabilityRules: Hashable, Sendable {
    /// The seed to the letter: a high level makes unavailable at once, without asking the peer. Off, the peer is asked, and one that proves that
    /// it has the content cannot be voted away.
    public var strictWhitepaper = false
    /// The seed's `enableVerification`. Off, nobody is asked for a proof; then reports make no peer unavailable, unless ``strictWhitepaper`` is on,
    /// and one that was unavailable and announces itself is suspect until the doubt has decayed.
    public var verifies = true

    public init(strictWhitepaper: Bool = false, verifies: Bool = true) {
        self.strictWhitepaper = strictWhitepaper
        self.verifies = verifies
    }
}
