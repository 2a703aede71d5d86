public import DIGContent
public import DIGIdentity
public import DIGTransfer
import Logging

/// What is shared, as a host serves it.
extension SharedContentStore: ContentProvider {
    /// - Throws: ``StorageError``.
    public func content(for hash: ContentHash) async throws -> HostedContent? {
        let files = try await self.files(with: hash)
        // Of several copies one that is still as it was hashed; if none is, the host finds that out by itself and says so.
        if let file = files.first(where: Self.isUnchanged) ?? files.first {
            let share = try await self.share(hash)
            return .file(
                HostedFile(
                    descriptor: file.descriptor, chunkLayer: file.chunkLayer, path: file.path, stamp: file.stamp,
                    name: share?.name ?? file.path.split(separator: "/").last.map(String.init), bindings: try await self.bindings(of: hash),
                    hashes: StoredChunkHashes(database: self.database, descriptor: file.descriptor)))
        }
        if let listing = try await self.listing(of: hash) {
            let share = try await self.share(hash)
            return .folder(HostedFolder(contentHash: hash, listing: listing, name: share?.name, bindings: try await self.bindings(of: hash)))
        }
        return nil
    }

    /// None if they can't be read; the reason is logged.
    public func bindings(for key: BindingKey) async -> [SignedEnvelope] {
        do {
            return try await self.storedBindings(for: key)
        } catch {
            self.database.logger.warning("could not read name bindings", metadata: ["dig.storage.error": "\(error)"])
            return []
        }
    }

    /// Forgets the copies that are not as they were hashed any more, also when the task is cancelled: whoever asked for them may be gone by then.
    public func contentChanged(_ hash: ContentHash) async {
        do {
            try await self.database.write { database in
                for file in try Self.files(with: hash, in: database) where !Self.isUnchanged(file) { try Self.forgetFile(at: file.path, in: database) }
            }
        } catch {
            self.database.logger.warning("could not forget a changed file", metadata: ["dig.storage.error": "\(error)"])
        }
    }

    private static func isUnchanged(_ file: SharedFile) -> Bool {
        do {
            return try FileStamp(ofFileAt: file.path) == file.stamp
        } catch {
            return false  // gone, or no regular file any more
        }
    }
}
