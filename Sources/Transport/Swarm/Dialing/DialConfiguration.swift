/// How a peer's addresses are raced.
public struct DialConfiguration: Hashable, Sendable {
    /// The wait before the next address is tried beside the ones under way (RFC 8305 §5 recommends 250 ms, and at least 100 ms).
    public var attemptDelay: Duration = .milliseconds(250)
    /// Addresses tried at the same time.
    public var maximumParallelAttempts = 8
    /// Addresses tried in all; the worst ranked beyond are left out.
    public var maximumAddresses = 64
    /// Names asked for in all; those beyond are left out.
    public var maximumNames = 16
    /// For the whole dial.
    public var timeout: Duration = .seconds(15)

    public init() {}
}
