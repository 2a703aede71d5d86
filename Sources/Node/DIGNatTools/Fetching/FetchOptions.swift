public import DIGContent
public import DIGMultiformats
public import DIGTransfer

/// How something is fetched.
public struct FetchOptions: Sendable {
    /// Peers to ask beside those of the link and of the local network, each address with its peer id.
    public var peers: [Multiaddr] = []
    /// Windows, timeouts, and the whitepaper's `concurrency` and `peerConcurrency`.
    public var scheduling = DownloadConfiguration()
    /// The plain SHA-256 that the whole file must have, the whitepaper's `verificationHash`. Costs one more pass over the file; the content hash
    /// proves every block already.
    public var verificationHash: SHA256Digest?
    /// How long to look for the first holder.
    public var searchTimeout: Duration = .seconds(15)
    /// Bytes per second of this transfer at most, beside the node's own limit. Nil: no limit.
    public var rate: Int?
    /// Whether others can fetch from this node what it has so far.
    public var servesWhileFetching = true

    public init() {}
}
