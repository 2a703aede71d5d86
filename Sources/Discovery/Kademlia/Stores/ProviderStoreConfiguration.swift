/// How many providers are remembered for others.
public struct ProviderStoreConfiguration: Hashable, Sendable {
    /// kad-dht r2, "Content provider advertisement": 48 h. Nothing is kept for longer.
    public var maximumLifetime: Duration = .seconds(48 * 3600)
    /// Of one key. When there are more, the network with the most loses its oldest.
    public var maximumProvidersPerKey = 100
    /// Of one key from one /24 or /64.
    public var maximumProvidersPerKeyAndNetwork = 8
    /// In all; about 600 bytes each where they are signed. When there are more, the oldest goes.
    public var maximumRecords = 200_000
    /// From one /24 or /64, or one peer where the network does not count.
    public var maximumRecordsPerSource = 120_000

    /// Remembered, so that announcements that arrive after them have no effect. The oldest goes.
    public var maximumWithdrawals = 4096

    public init() {}
}
