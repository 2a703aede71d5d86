import DIGContent

/// What a download asks of a session about one content.
enum SessionCommand: Sendable {
    case getHashes(HashRequest)
    case getChunks(Range<Int>, hashes: ArraySlice<SHA256Digest>)
    case cancel(Range<Int>)
    case getListing(offset: UInt64, byteCount: Int)
    case release
}
