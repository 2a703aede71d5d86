import DIGKademlia

/// How much of what was saved of the DHT is read, so that a damaged or foreign database can't fill the memory.
///
/// No less than the bounds of the node's own tables, or what they hold is forgotten at a restart.
public struct KademliaStorageLimits: Hashable, Sendable {
    /// Nodes of the routing table.
    public var peerCount = 4096
    /// Provider records, of all keys.
    public var providerCount = ProviderStoreConfiguration().maximumRecords
    /// Values kept for others.
    public var valueCount = ValueStoreConfiguration().maximumValues
    /// Keys that this node provides.
    public var providedCount = 1_000_000
    /// Of one record.
    public var recordByteCount = 64 << 10
    /// Of all that is read for one network.
    public var byteCount = 512 << 20

    public init() {}
}
