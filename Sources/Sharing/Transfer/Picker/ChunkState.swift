/// How far a chunk is.
enum ChunkState: UInt8, Hashable, Sendable {
    /// Not here, and asked of nobody.
    case missing
    /// Asked of one peer, or of several near the end.
    case requested
    /// Here, proven and on disk.
    case verified
}
