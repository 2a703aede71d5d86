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
