public import DIGContent

/// A finished download.
public struct DownloadResult: Sendable {
    /// Of the file that is there.
    public var descriptor: FileDescriptor
    /// Where the file is; differs from the destination with ``ExistingFilePolicy/keepBoth``.
    public var path: String
    /// What each peer gave that was proven.
    public var peers: [PeerStatistics]
    /// Bytes of an earlier run that were proven again and kept.
    public var resumedByteCount: UInt64
    /// The file was there, whole, before anything was fetched.
    public var wasPresent: Bool
    /// Computed if it was demanded.
    public var sha256: SHA256Digest?
    /// From the call of `run` to the file having its name.
    public var duration: Duration
    /// Peers that could not or would not deliver.
    public var failures: [PeerFailure]
}
