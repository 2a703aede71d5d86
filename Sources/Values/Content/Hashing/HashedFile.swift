/// A file of ours, ready to be shared.
public struct HashedFile: Hashable, Sendable {
    public let descriptor: FileDescriptor
    public let layout: ChunkLayout
    /// The chunk hashes: layer `layout.treeLayer` of the tree.
    public let chunkLayer: TreeLayer
    /// The file as it was hashed. Its bytes are served only while this holds.
    public let stamp: FileStamp

    public init(descriptor: FileDescriptor, layout: ChunkLayout, chunkLayer: TreeLayer, stamp: FileStamp) {
        self.descriptor = descriptor
        self.layout = layout
        self.chunkLayer = chunkLayer
        self.stamp = stamp
    }
}

/// How far the hashing of a file has come.
public struct HashProgress: Hashable, Sendable {
    /// Bytes hashed.
    public var completed: UInt64
    /// Bytes in the file.
    public var total: UInt64

    public init(completed: UInt64, total: UInt64) {
        self.completed = completed
        self.total = total
    }

    /// 0 to 1; 1 for an empty file.
    public var fraction: Double { self.total == 0 ? 1 : Double(self.completed) / Double(self.total) }
}
