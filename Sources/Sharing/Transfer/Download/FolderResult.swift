public import DIGContent

/// A fetched folder.
public struct FolderResult: Sendable {
    /// What is in the folder.
    public var listing: FolderListing
    /// Where its files are.
    public var path: String
    /// Files that were there, whole, before anything was fetched.
    public var presentFileCount: Int
    /// What each peer gave that was proven.
    public var peers: [PeerStatistics]
    /// From the call of `run` to the last file having its name.
    public var duration: Duration
    /// Peers that could not or would not deliver.
    public var failures: [PeerFailure]
}
