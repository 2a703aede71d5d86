import NIOCore

extension FolderListing {
    /// The canonical bytes.
    public var encoded: [UInt8] { Self.encode(self.entries) }

    static func encode(_ entries: [Entry]) -> [UInt8] {
        var bytes = self.prefix
        bytes.reserveCapacity(entries.reduce(self.prefix.count + 4) { $0 + self.minimumEntryByteCount - 1 + $1.path.string.utf8.count })
        self.append(UInt32(entries.count), to: &bytes)
        for entry in entries {
            self.append(UInt16(entry.path.string.utf8.count), to: &bytes)
            bytes.append(contentsOf: entry.path.string.utf8)
            self.append(entry.descriptor.size, to: &bytes)
            entry.descriptor.root.withUnsafeBytes { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    private static func append(_ value: some FixedWidthInteger & UnsignedInteger, to bytes: inout [UInt8]) {
        for shift in stride(from: value.bitWidth - 8, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    /// Decodes a listing from a stranger. Only the canonical form is accepted, so equal content has equal bytes.
    ///
    /// - Parameter contentHash: What was asked for; checked first, `nil` if the bytes are known to be right.
    /// - Throws: ``ContentError`` with `.listingTooLarge`, `.proofMismatch`, `.malformedListing`, `.unsafePath`, `.fileTooLarge` or `.invalidDescriptor`.
    public init(decoding bytes: some Collection<UInt8>, expecting contentHash: ContentHash? = nil) throws(ContentError) {
        guard bytes.count <= Self.maximumByteCount else {
            throw ContentError(.listingTooLarge, "a folder listing may have \(Self.maximumByteCount) bytes, this one has \(bytes.count)")
        }
        if let contentHash {
            let actual = ContentHash(digest: SHA256Digest(hashing: bytes))
            guard actual == contentHash else {
                throw ContentError(.proofMismatch, "the folder listing has the hash \(actual), not \(contentHash)")
            }
        }
        var buffer = ByteBuffer(bytes: bytes)
        guard let prefix = buffer.readBytes(length: Self.prefix.count) else { throw Self.truncated }
        guard prefix == Self.prefix else { throw ContentError(.malformedListing, "the bytes do not begin with \"dig-folder-v1\"") }
        guard let count = buffer.readInteger(as: UInt32.self) else { throw Self.truncated }
        guard count <= Self.maximumEntryCount else {
            throw ContentError(.listingTooLarge, "a folder may have \(Self.maximumEntryCount) files, this one says \(count)")
        }
        guard Int(count) * Self.minimumEntryByteCount <= buffer.readableBytes else { throw Self.truncated }

        var entries: [Entry] = []
        entries.reserveCapacity(Int(count))
        for _ in 0..<count {
            guard let length = buffer.readInteger(as: UInt16.self) else { throw Self.truncated }
            guard length <= SafePath.maximumByteCount else { throw ContentError(.malformedListing, "a path has \(length) bytes") }
            guard let path = buffer.readBytes(length: Int(length)), let size = buffer.readInteger(as: UInt64.self),
                let rootBytes = buffer.readBytes(length: SHA256Digest.byteCount), let root = SHA256Digest(bytes: rootBytes)
            else { throw Self.truncated }
            guard let text = String(validating: path, as: UTF8.self) else { throw ContentError(.malformedListing, "a path is not UTF-8") }
            let descriptor = try FileDescriptor(size: size, root: root)
            entries.append(Entry(path: try SafePath(text), descriptor: descriptor))
        }
        guard buffer.readableBytes == 0 else { throw ContentError(.malformedListing, "\(buffer.readableBytes) bytes follow the last entry") }
        try self.init(sorted: entries)
    }

    private static var truncated: ContentError { ContentError(.malformedListing, "the folder listing ends too early") }
}
