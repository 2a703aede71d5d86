public import DIGContent
import NIOCore

/// What is wanted of a download beyond its content.
public struct DownloadOptions: Sendable {
    /// What is asked of whom, and how long is waited.
    public var scheduling = DownloadConfiguration()
    /// The bytes of a chunk: 16384 · 2ᵏ, up to 1048576. Hosts that do not serve this size are left out. An earlier run in other chunks is
    /// continued; what does not fill a chunk of this size is fetched again.
    ///
    /// Nil: as an earlier run began, else 65536, or more above 16 GiB.
    public var chunkByteCount: Int?
    /// The plain SHA-256 that the whole file must have: the whitepaper's `verificationHash`, or the name it was fetched by. The file gets its
    /// name only if it has.
    public var sha256: SHA256Digest?
    /// Who vouched that ``sha256`` belongs to the content; named in the error if it does not.
    public var sha256Source: String?
    /// Whether the file survives a power cut once the download is finished. Costs waiting for the disk.
    public var isDurable = true
    /// False: the file never gets a name and is gone when the last reader is, as for `-o -`.
    public var keepsFile = true
    /// Bytes that may be received and not yet on disk, plus 1 MiB for each peer; below 2 MiB counts as 2 MiB.
    public var bufferByteCount = 16 * 1024 * 1024
    /// The state is saved after so many bytes, with 0 after each write, …
    public var checkpointByteCount: UInt64 = 64 * 1024 * 1024
    /// … or so much time, whichever comes first.
    public var checkpointInterval: Duration = .seconds(5)
    /// Between two values of ``FileDownload/progress``; below a millisecond counts as one.
    public var progressInterval: Duration = .milliseconds(200)
    /// How many bytes ahead of a reader chunks are preferred. 0 or less: only the chunk it waits for.
    public var readAheadByteCount = 8 * 1024 * 1024

    /// Asked once in each session when a holder wants to know who this is, or more than it knows. Nil: such holders are left out.
    public var authenticator: (any PeerAuthenticator)?

    public init() {}

    /// ``progressInterval`` for a timer, which must not keep its loop busy.
    var progressTimerInterval: TimeAmount { max(.milliseconds(1), TimeAmount(self.progressInterval)) }

    /// The tree layer of ``chunkByteCount``.
    ///
    /// - Throws: ``TransferError`` with `.invalidOption` if it is not one of the sizes allowed.
    package func chunkLayer() throws(TransferError) -> Int? {
        guard let count = self.chunkByteCount else { return nil }
        guard let layer = ChunkLayout.layers.first(where: { TreeGeometry.blockByteCount << $0 == count }) else {
            throw TransferError(
                .invalidOption,
                "a chunk has \(TreeGeometry.blockByteCount) bytes or that times a power of two, up to \(ChunkLayout.maximumChunkByteCount); not \(count)")
        }
        return layer
    }
}
