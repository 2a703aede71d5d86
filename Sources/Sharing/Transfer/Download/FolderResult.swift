public import DIGContent

/// A fetched folder.
public struct FolderResult: Sendable {
    public var listing: FolderListing
    /// Where its files are.
    public var path: String
    /// Files that were there, whole, before anything was fetched.
    public var presentFileCount: Int
    /// What each peer gave that was proven.
    public var peers: [PeerStatistics]
    public var duration: Duration
    /// Peers that could not or would not deliver.
    public var failures: [PeerFailure]
}
