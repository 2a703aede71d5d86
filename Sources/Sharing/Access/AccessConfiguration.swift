/// Bounds of an ``AccessHost``.
public struct AccessConfiguration: Hashable, Sendable {
    /// Connections whose proofs are remembered; on more, nothing can be proven.
    public var maximumSessionCount = 4096
    /// Proofs that are checked at once, over all peers …
    public var maximumExchangeCount = 64
    /// … and of one peer.
    public var maximumExchangeCountPerPeer = 2
    /// Attempts on one connection in a minute. The dearest, a membership in the largest ring, takes some 25 ms to check.
    public var attemptsPerMinute = 20
    /// For each message of an exchange.
    public var messageTimeout: Duration = .seconds(20)

    public init() {}
}
