import DIGContent

/// For files of one chunk: there is nothing to go on with.
struct ForgetfulTransferStore: TransferStore {
    func load(_ contentHash: ContentHash, destination: String) async throws -> SavedTransfer? { nil }
    func save(_ transfer: SavedTransfer) async throws {}
    func remove(_ contentHash: ContentHash, destination: String) async throws {}
}
