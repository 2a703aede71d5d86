public import DIGContent
public import DIGMultiformats
public import DIGTransfer

/// How something is fetched.
public struct FetchOptions: Sendable {
    /// Peers to ask beside those of the link and of the local network, each address with its peer id.
    public var peers: [Multiaddr] = []
    /// Windows, timeouts, and the whitepaper's `concurrency` and `peerConcurrency`.
    public var scheduling = DownloadConfiguration()
    /// The bytes of a chunk, the whitepaper's `chunkSize`: 16384 · 2ᵏ, up to 1048576; anything else ends the fetch with `TransferError`
    /// `.invalidOption`. Holders that do not serve this size are left out: whoever has the whole file serves nearly all, whoever is still
    /// fetching it only the one it fetches in. What an earlier run fetched in other chunks is kept.
    ///
    /// Nil: as an earlier run began, else 65536, or more above 16 GiB.
    public var chunkByteCount: Int?
    /// The plain SHA-256 that the whole file must have, the whitepaper's `verificationHash`. Costs one more pass over the file; the content hash
    /// proves every block already.
    public var verificationHash: SHA256Digest?
    /// How long to look for the first holder. Less if everybody was asked before.
    public var searchTimeout: Duration = .seconds(30)
    /// Bytes per second of this transfer at most, beside the node's own limit. Nil: no limit.
    public var rate: Int?
    /// Whether others can fetch from this node what it has so far.
    public var servesWhileFetching = true

    public init() {}

    /// The part of it that concerns the transfer itself.
    var download: DownloadOptions {
        var options = DownloadOptions()
        options.scheduling = self.scheduling
        options.chunkByteCount = self.chunkByteCount
        return options
    }
}
