public import DIGContent
public import DIGTransfer
import GRDB

/// The chunk hashes of a shared file, read from the database when the first peer asks.
public struct StoredChunkHashes: ChunkHashSource {
    private let database: NodeDatabase
    private let descriptor: FileDescriptor

    init(database: NodeDatabase, descriptor: FileDescriptor) {
        self.database = database
        self.descriptor = descriptor
    }

    /// Blocks for the time of a read.
    ///
    /// - Throws: ``StorageError``; `.malformedRecord` if the hashes are gone or do not lead to the file's root.
    public func storedLayer() throws -> TreeLayer {
        do {
            guard let layer = try self.database.pool.read({ try SharedContentStore.layer(of: self.descriptor, in: $0) }) else {
                throw StorageError(.malformedRecord, "the hashes of \(self.descriptor.contentHash) are not stored any more")
            }
            do {
                try layer.verify(against: self.descriptor)
            } catch {
                throw StorageError(.malformedRecord, "the stored hashes of \(self.descriptor.contentHash) are wrong", cause: error)
            }
            return layer
        } catch {
            throw StorageError(error, path: self.database.path)
        }
    }
}
