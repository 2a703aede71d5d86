import DIGContent

/// What a session reports about one content.
enum SessionEvent: Sendable {
    case described(ContentDescription)
    case bitfield(BitfieldPart)
    case have([ChunkRange])
    case hashes(HashSegment)
    case hashesUnavailable(HashRequestID)
    case chunksUnavailable(ChunkRange, UnavailableReason)
    case listingPart(offset: UInt64, bytes: [UInt8])
    /// These came; those that are right are in the file.
    case checked(Range<Int>, corrupt: [Int])
    /// Bytes came, but no whole chunk for a while.
    case progressed
    /// The disk failed, not the peer.
    case diskFailed(TransferError)
    /// The peer broke the protocol; the stream is reset.
    case violated(TransferError)
    case ended(TransferError)
}
