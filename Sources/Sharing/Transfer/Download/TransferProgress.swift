/// How far a download is.
public struct TransferProgress: Sendable, Hashable {
    /// Bytes proven and on disk, those of earlier runs included. Only grows.
    public var verifiedByteCount: UInt64
    /// Nil until somebody described the content.
    public var totalByteCount: UInt64?
    /// 0…1, never falling. 1 exactly once, at the end, when the file has its name.
    public var fraction: Double
    /// Bytes per second over the last seconds, over all peers.
    public var bytesPerSecond: Double
    /// Nil if nothing is known to estimate it from.
    public var estimatedRemaining: Duration?
    /// Files of a folder that are whole, and how many there are; 0 or 1 of 1 for a file.
    public var finishedFileCount: Int
    /// Files in all; 1 for a file.
    public var fileCount: Int
    /// In no particular order.
    public var peers: [PeerStatistics]
}

extension TransferProgress {
    /// - Parameter isFinished: Whether the file, or every file, has its name.
    init(
        verifiedByteCount: UInt64, totalByteCount: UInt64?, bytesPerSecond: Double, isFinished: Bool, finishedFileCount: Int, fileCount: Int,
        peers: [PeerStatistics]
    ) {
        let missing = totalByteCount.map { $0 - min($0, verifiedByteCount) }
        var fraction = 0.0
        if let total = totalByteCount, total > 0 { fraction = Double(verifiedByteCount) / Double(total) }
        var remaining: Duration?
        if let missing, bytesPerSecond > 0 { remaining = .seconds(min(Double(missing) / bytesPerSecond, 1e9)) }
        self.init(
            verifiedByteCount: verifiedByteCount, totalByteCount: totalByteCount, fraction: isFinished ? 1 : min(0.999_999, fraction),
            bytesPerSecond: bytesPerSecond, estimatedRemaining: isFinished ? .zero : remaining, finishedFileCount: finishedFileCount, fileCount: fileCount,
            peers: peers)
    }
}
