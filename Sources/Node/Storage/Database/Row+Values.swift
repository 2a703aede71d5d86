import DIGContent
import Foundation
import GRDB

/// Columns as values. What doesn't fit is a ``StorageError`` with `.malformedRecord`, never a trap.
extension Row {
    func digest(_ column: String) throws(StorageError) -> SHA256Digest {
        guard let data: Data = self[column], let digest = SHA256Digest(bytes: data) else { throw self.malformed(column) }
        return digest
    }

    func optionalDigest(_ column: String) throws(StorageError) -> SHA256Digest? {
        guard let data: Data = self[column] else { return nil }
        guard let digest = SHA256Digest(bytes: data) else { throw self.malformed(column) }
        return digest
    }

    func contentHash(_ column: String = "content_hash") throws(StorageError) -> ContentHash {
        ContentHash(digest: try self.digest(column))
    }

    func text(_ column: String) throws(StorageError) -> String {
        guard let text: String = self[column] else { throw self.malformed(column) }
        return text
    }

    func bytes(_ column: String) throws(StorageError) -> [UInt8] {
        guard let data: Data = self[column] else { throw self.malformed(column) }
        return [UInt8](data)
    }

    func integer(_ column: String) throws(StorageError) -> Int64 {
        guard let value: Int64 = self[column] else { throw self.malformed(column) }
        return value
    }

    /// A number that is never negative.
    func count(_ column: String) throws(StorageError) -> UInt64 {
        guard let value = UInt64(exactly: try self.integer(column)) else { throw self.malformed(column) }
        return value
    }

    /// From `size` and `root`, checked against `content_hash`.
    func descriptor() throws(StorageError) -> FileDescriptor {
        do {
            return try FileDescriptor(size: self.count("size"), root: self.digest("root"), expecting: self.contentHash())
        } catch {
            throw StorageError(.malformedRecord, "a descriptor in the database contradicts itself", cause: error)
        }
    }

    func stamp() throws(StorageError) -> FileStamp {
        FileStamp(
            size: try self.count("size"), modificationTimeNanoseconds: try self.integer("modified_ns"),
            inode: UInt64(bitPattern: try self.integer("inode")), device: UInt64(bitPattern: try self.integer("device")))
    }

    private func malformed(_ column: String) -> StorageError {
        StorageError(.malformedRecord, "the column \(column) of a record in the database holds what it should not")
    }
}

extension SHA256Digest {
    /// As a column.
    var data: Data { Data(self.bytes) }
}

extension ContentHash {
    /// As a column: the 32 bytes of the digest.
    var data: Data { Data(self.digest.bytes) }
}
