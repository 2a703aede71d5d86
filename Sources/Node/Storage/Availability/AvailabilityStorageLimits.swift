/// What ``SQLiteAvailabilityStore`` keeps at most. The database stays under 100 MiB with these.
public struct AvailabilityStorageLimits: Hashable, Sendable {
    /// Claims that are read; the table sees to it that there are no more.
    public var holderCount = 100_000
    /// Peers of whom experiences are kept; those not met for longest go first.
    public var peerCount = 10_000
    /// Signed records; those received first go first.
    public var recordCount = 50_000
    /// Of the signed records together; an announcement with many addresses has 6 KiB.
    public var recordByteCount = 40 << 20

    public init() {}
}
