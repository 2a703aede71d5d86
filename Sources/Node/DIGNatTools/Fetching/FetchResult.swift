public import DIGContent
public import DIGTransfer

/// Something that was fetched and verified.
public struct FetchResult: Sendable {
    /// What it is; every byte leads to this hash.
    public var contentHash: ContentHash
    /// The file, or the folder.
    public var path: String
    /// Bytes of the file, or of all files of the folder.
    public var byteCount: UInt64
    /// 1 for a file.
    public var fileCount: Int
    /// Bytes of an earlier run that were proven again and kept.
    public var resumedByteCount: UInt64
    /// It was there, whole, before anything was fetched.
    public var wasPresent: Bool
    /// The plain SHA-256, if it was demanded; it is what was demanded.
    public var sha256: SHA256Digest?
    /// What each peer gave that was proven.
    public var peers: [PeerStatistics]
    /// Peers that could not or would not deliver.
    public var failures: [PeerFailure]
    /// Of the transfer, without the search for holders.
    public var duration: Duration
}
