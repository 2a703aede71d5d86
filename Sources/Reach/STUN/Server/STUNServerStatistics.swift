/// What a ``STUNServer`` did since it was made.
public struct STUNServerStatistics: Hashable, Sendable {
    public var answered: UInt64 = 0
    public var rateLimited: UInt64 = 0
    /// Malformed, damaged, too long, or asking for more than a binding.
    public var dropped: UInt64 = 0
    public var connections: UInt64 = 0
    public var connectionsRefused: UInt64 = 0

    public init() {}
}
