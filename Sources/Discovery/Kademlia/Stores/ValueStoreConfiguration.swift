/// How many values are remembered for others.
public struct ValueStoreConfiguration: Hashable, Sendable {
    /// kad-dht r2, "Value storage and retrieval": 48 h.
    public var maximumLifetime: Duration = .seconds(48 * 3600)
    /// A longer value is refused. Records of IPNS have up to 10 KiB.
    public var maximumValueByteCount = 16 << 10
    public var maximumValues = 20_000
    /// In all. When there is more, the oldest goes.
    public var maximumByteCount = 32 << 20
    /// From one /24 or /64, or one peer where the network does not count: a share of ``maximumValues``.
    public var maximumValuesPerSource = 5_000

    public init() {}
}
