public import DIGContent
public import DIGIdentity

/// A file on disk with what is needed to serve it.
public struct HostedFile: Sendable {
    /// What clients verify the file against.
    public var descriptor: FileDescriptor
    /// The layer of the stored hashes, and of the chunks served unless a client asks for a higher one.
    public var chunkLayer: Int
    /// Where it is.
    public var path: String
    /// As it was when the file was hashed. Nil: a file that this process is still writing.
    public var stamp: FileStamp?
    /// What clients are told; a hint.
    public var name: String?
    /// Signed names of the content, sent with its description.
    public var bindings: [SignedEnvelope]
    /// The stored layer of the hash tree.
    public var hashes: any ChunkHashSource
    /// Which chunks are there.
    public var availability: any ChunkAvailability
    /// Where a file that is still being written will be once it is whole.
    var destination: HostedFileDestination?

    public init(
        descriptor: FileDescriptor, chunkLayer: Int, path: String, stamp: FileStamp?, name: String? = nil, bindings: [SignedEnvelope] = [],
        hashes: any ChunkHashSource, availability: any ChunkAvailability = CompleteAvailability()
    ) {
        self.descriptor = descriptor
        self.chunkLayer = chunkLayer
        self.path = path
        self.stamp = stamp
        self.name = name
        self.bindings = bindings
        self.hashes = hashes
        self.availability = availability
    }
}
