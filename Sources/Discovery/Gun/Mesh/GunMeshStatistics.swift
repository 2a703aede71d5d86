/// What a peer of GUN has seen.
public struct GunMeshStatistics: Hashable, Sendable {
    public var receivedMessageCount: UInt64 = 0
    public var duplicateCount: UInt64 = 0
    /// Text that is no message, or messages with fields that can't be.
    public var malformedCount: UInt64 = 0
    /// Keys without a state or with a value that can't be.
    public var malformedEntryCount: UInt64 = 0
    /// Beyond the size of one message.
    public var oversizeCount: UInt64 = 0
    /// Beyond the rate of a connection.
    public var throttledCount: UInt64 = 0
    /// Answers to what nobody asked, or asked too long ago.
    public var unroutableCount: UInt64 = 0
    public var passedOnCount: UInt64 = 0

    public init() {}
}
