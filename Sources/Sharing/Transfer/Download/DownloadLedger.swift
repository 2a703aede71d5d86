import DIGContent

/// What of a file is proven and on disk, how fast it becomes more, and when that is to be remembered.
struct DownloadLedger: Sendable {
    typealias Instant = ContinuousClock.Instant

    private let checkpointByteCount: UInt64
    private let checkpointInterval: Duration
    private var meter: RateMeter
    private var uncheckpointedByteCount: UInt64 = 0
    private var checkpointedAt: Instant

    /// Nil before the size is known.
    private(set) var layout: ChunkLayout?
    private(set) var verified = ChunkBitmap(count: 0)
    /// Of ``verified``, or the whole file if it was there already.
    private(set) var verifiedByteCount: UInt64 = 0
    /// Of an earlier run, proven again.
    private(set) var resumedByteCount: UInt64 = 0

    /// - Parameters:
    ///   - checkpointByteCount: A checkpoint is due after so many bytes …
    ///   - checkpointInterval: … or so much time, if there is anything to remember.
    init(checkpointByteCount: UInt64, checkpointInterval: Duration, now: Instant) {
        self.checkpointByteCount = checkpointByteCount
        self.checkpointInterval = checkpointInterval
        self.meter = RateMeter(now: now)
        self.checkpointedAt = now
    }

    /// The file is open, and nothing in it is proven.
    mutating func opened(_ layout: ChunkLayout) {
        self.layout = layout
        self.verified = ChunkBitmap(count: layout.chunkCount)
    }

    /// The file was there already.
    mutating func foundPresent(_ layout: ChunkLayout) {
        self.layout = layout
        self.verifiedByteCount = layout.fileSize
    }

    /// More is proven and on disk.
    mutating func insert(_ chunks: Range<Int>, now: Instant) {
        let byteCount = self.byteCount(of: chunks)
        self.verified.insert(chunks)
        self.verifiedByteCount += byteCount
        self.uncheckpointedByteCount += byteCount
        self.meter.record(Int(byteCount), now: now)
    }

    /// Some of what will be inserted was left by an earlier run.
    mutating func resumed(_ chunks: Range<Int>) { self.resumedByteCount += self.byteCount(of: chunks) }

    private func byteCount(of chunks: Range<Int>) -> UInt64 {
        guard let layout = self.layout else { return 0 }
        let unit = UInt64(layout.chunkByteCount)
        return min(UInt64(chunks.upperBound) * unit, layout.fileSize) - min(UInt64(chunks.lowerBound) * unit, layout.fileSize)
    }

    /// Bytes per second over the last seconds.
    mutating func rate(now: Instant) -> Double { self.meter.rate(now: now) }

    // MARK: - Checkpoints

    /// Whether enough is proven that is not remembered, or some for long enough.
    func isCheckpointDue(now: Instant) -> Bool {
        guard self.uncheckpointedByteCount > 0 else { return false }
        return self.uncheckpointedByteCount >= self.checkpointByteCount || now - self.checkpointedAt >= self.checkpointInterval
    }

    mutating func checkpointed(now: Instant) {
        self.uncheckpointedByteCount = 0
        self.checkpointedAt = now
    }

    /// Near the end the hashes are not worth the memory and the writing: what is left is asked for again with its hashes.
    var isNearEnd: Bool { self.layout.map { self.verifiedByteCount > $0.fileSize / 8 * 7 } ?? false }
}
