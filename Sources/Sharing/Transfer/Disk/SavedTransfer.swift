public import DIGContent

/// What is remembered of an unfinished download.
public struct SavedTransfer: Sendable, Hashable {
    /// Of the file that is fetched.
    public var descriptor: FileDescriptor
    /// Chunks are 16 KiB << `chunkLayer`.
    public var chunkLayer: Int
    /// The final path, as ``DownloadDestination/path``.
    public var destination: String
    /// Chunks that were on disk at the last checkpoint. A resume compares them with the tree before it trusts them.
    public var verified: ChunkBitmap
    /// All chunk hashes, 32 bytes each; nil if they are not all known. In a save nil means: what is stored already stays.
    public var chunkHashes: [UInt8]?

    public init(descriptor: FileDescriptor, chunkLayer: Int, destination: String, verified: ChunkBitmap, chunkHashes: [UInt8]? = nil) {
        self.descriptor = descriptor
        self.chunkLayer = chunkLayer
        self.destination = destination
        self.verified = verified
        self.chunkHashes = chunkHashes
    }
}
