public import DIGContent

/// A file on disk that is shared, alone or in a folder.
public struct SharedFile: Hashable, Sendable {
    /// Absolute.
    public var path: String
    public var descriptor: FileDescriptor
    /// Chunks are 16 KiB << `chunkLayer`.
    public var chunkLayer: Int
    /// As it was when it was hashed.
    public var stamp: FileStamp
    /// What `sha256sum` prints, once that is computed.
    public var sha256: SHA256Digest?

    /// It was found changed or gone since it was hashed: it is not served until it is shared again.
    public var isForgotten: Bool { self.stamp.inode == 0 && self.stamp.device == 0 }

    public init(path: String, descriptor: FileDescriptor, chunkLayer: Int, stamp: FileStamp, sha256: SHA256Digest? = nil) {
        self.path = path
        self.descriptor = descriptor
        self.chunkLayer = chunkLayer
        self.stamp = stamp
        self.sha256 = sha256
    }
}
