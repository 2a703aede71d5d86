import DIGContent
import Foundation
import GRDB

/// Columns as values. What doesn't fit is a ``StorageError`` with `.malformedRecord`, never a trap.
extension Row {
    func digest(_ column: String) throws(StorageError) -> SHA256Digest {
        guard let data = self.value(column, as: Data.self), let digest = SHA256Digest(bytes: data) else { throw self.malformed(column) }
        return digest
    }

    func optionalDigest(_ column: String) throws(StorageError) -> SHA256Digest? {
        guard let data = try self.optionalData(column) else { return nil }
        guard let digest = SHA256Digest(bytes: data) else { throw self.malformed(column) }
        return digest
    }

    func contentHash(_ column: String = "content_hash") throws(StorageError) -> ContentHash {
        ContentHash(digest: try self.digest(column))
    }

    func text(_ column: String) throws(StorageError) -> String {
        guard let text = self.value(column, as: String.self) else { throw self.malformed(column) }
        return text
    }

    func optionalText(_ column: String) throws(StorageError) -> String? {
        try self.optional(column, as: String.self)
    }

    func bytes(_ column: String) throws(StorageError) -> [UInt8] {
        guard let data = self.value(column, as: Data.self) else { throw self.malformed(column) }
        return [UInt8](data)
    }

    func optionalData(_ column: String) throws(StorageError) -> Data? {
        try self.optional(column, as: Data.self)
    }

    func integer(_ column: String) throws(StorageError) -> Int64 {
        guard let value = self.value(column, as: Int64.self) else { throw self.malformed(column) }
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

    /// Nil if the column is empty or, in a damaged file, of another type. GRDB's typed subscripts trap on the latter.
    private func value<Value>(_ column: String, as type: Value.Type) -> Value? {
        let value: (any DatabaseValueConvertible)? = self[column]
        return value as? Value
    }

    private func optional<Value>(_ column: String, as type: Value.Type) throws(StorageError) -> Value? {
        let value: (any DatabaseValueConvertible)? = self[column]
        guard let value else { return nil }
        guard let typed = value as? Value else { throw self.malformed(column) }
        return typed
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
