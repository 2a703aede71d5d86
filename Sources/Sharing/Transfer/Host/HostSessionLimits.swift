import DIGContent

/// Bounds of one session.
struct HostSessionLimits: Hashable, Sendable {
    var handleCount = TransferLimits.maximumHandleCount
    var outstandingChunkCount = TransferLimits.maximumOutstandingChunkCount
    /// Requests other than for chunks, not yet answered. At the limit nothing more is read from the stream.
    var pendingRequestCount = 256
    /// Responses not yet written. At the limit nothing more is read from the stream.
    var queuedResponseCount = 256
    /// The same in bytes, counted roughly.
    var queuedResponseByteCount = 1024 * 1024
    /// Listings of the folders that are open, each counted once. At least the longest one fits.
    var listingByteCount = 32 * 1024 * 1024
    /// Jobs that run at once.
    var runningJobCount = 8
    /// Pieces that are read at once.
    var runningReadCount = 2
    var readAheadByteCount = 2 * 1024 * 1024
    var pieceByteCount = 512 * 1024
    /// See ``TransferHostConfiguration/lowerLayerByteCount``.
    var lowerLayerByteCount = 128 * 1024 * 1024

    /// Whether hashes below the stored layer can be made for `layout`: as many as a client asks for at once, or all there are.
    func allowsLowerLayer(_ layout: ChunkLayout) -> Bool {
        let count = min(SegmentTable.nodeCount, layout.geometry.paddedNodeCount(atLayer: layout.treeLayer))
        return count <= self.lowerLayerByteCount >> layout.treeLayer / TreeGeometry.blockByteCount
    }
}
