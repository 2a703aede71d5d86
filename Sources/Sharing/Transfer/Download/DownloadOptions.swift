public import DIGContent

/// What is wanted of a download beyond its content.
public struct DownloadOptions: Sendable {
    public var scheduling = DownloadConfiguration()
    /// The plain SHA-256 that the whole file must have: the whitepaper's `verificationHash`, or the name it was fetched by. The file gets its
    /// name only if it has.
    public var sha256: SHA256Digest?
    /// Who vouched that ``sha256`` belongs to the content; named in the error if it does not.
    public var sha256Source: String?
    /// Whether the file survives a power cut once the download is finished. Costs waiting for the disk.
    public var isDurable = true
    /// False: the file never gets a name and is gone when the last reader is, as for `-o -`.
    public var keepsFile = true
    /// What may be received and not yet on disk, plus 1 MiB for each peer.
    public var bufferByteCount = 16 * 1024 * 1024
    /// The state is saved after so many bytes …
    public var checkpointByteCount: UInt64 = 64 * 1024 * 1024
    /// … or so much time, whichever comes first.
    public var checkpointInterval: Duration = .seconds(5)
    /// Between two values of ``FileDownload/progress``.
    public var progressInterval: Duration = .milliseconds(200)
    /// How far ahead of a reader chunks are preferred.
    public var readAheadByteCount = 8 * 1024 * 1024

    public init() {}
}
