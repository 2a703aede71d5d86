/// What an ``AccessHost`` has done.
public struct AccessStatistics: Hashable, Sendable {
    /// Open connections on which something was proven, or tried.
    public var sessionCount = 0
    /// Exchanges that proved something, or would have.
    public var exchangeCount = 0
    /// Exchanges that failed: malformed, replayed, badly signed, over a limit.
    public var failedExchangeCount = 0
    /// Streams reset at a limit.
    public var refusedStreamCount = 0
    /// Contents refused to peers.
    public var refusalCount = 0

    public init() {}
}
