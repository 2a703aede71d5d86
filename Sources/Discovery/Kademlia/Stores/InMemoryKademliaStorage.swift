import Synchronization

/// Remembers for as long as the process runs: for tests, and for nodes that shall leave no trace.
public final class InMemoryKademliaStorage: KademliaStorage {
    private let snapshots = Mutex<[String: KademliaSnapshot]>([:])

    public init() {}

    public func load(network: String) async throws -> KademliaSnapshot {
        self.snapshots.withLock { $0[network] } ?? KademliaSnapshot()
    }

    public func save(_ snapshot: KademliaSnapshot, network: String) async throws {
        self.snapshots.withLock { $0[network] = snapshot }
    }
}
