public import DIGContent
import Synchronization

/// Keeps transfers as long as the process runs.
public final class MemoryTransferStore: TransferStore {
    private struct Key: Hashable {
        var contentHash: ContentHash
        var destination: String
    }

    private let transfers = Mutex<[Key: SavedTransfer]>([:])

    public init() {}

    /// Transfers kept.
    public var count: Int { self.transfers.withLock { $0.count } }

    public func load(_ contentHash: ContentHash, destination: String) async throws -> SavedTransfer? {
        self.transfers.withLock { $0[Key(contentHash: contentHash, destination: destination)] }
    }

    public func save(_ transfer: SavedTransfer) async throws {
        let key = Key(contentHash: transfer.descriptor.contentHash, destination: transfer.destination)
        self.transfers.withLock { transfers in
            var transfer = transfer
            transfer.chunkHashes = transfer.chunkHashes ?? transfers[key]?.chunkHashes
            transfers[key] = transfer
        }
    }

    public func remove(_ contentHash: ContentHash, destination: String) async throws {
        self.transfers.withLock { $0[Key(contentHash: contentHash, destination: destination)] = nil }
    }
}
