public import DIGContent

/// Where downloads keep their state between runs. `DIGStorage` has one on SQLite.
///
/// A transfer is named by its content hash and its destination.
public protocol TransferStore: Sendable {
    /// Nil if nothing is stored. What is returned is checked before it is used, so it may be stale.
    func load(_ contentHash: ContentHash, destination: String) async throws -> SavedTransfer?

    /// Replaces what is stored, except that `chunkHashes == nil` keeps the stored hashes. Returns when it survives a crash of the process.
    func save(_ transfer: SavedTransfer) async throws

    /// The transfer is finished or given up.
    func remove(_ contentHash: ContentHash, destination: String) async throws
}
