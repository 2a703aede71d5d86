public import DIGIdentity

/// How one peer did in a download.
public struct PeerStatistics: Sendable, Hashable {
    /// The peer that was asked.
    public var peer: PeerID
    /// Bytes of chunks that this peer gave and that were proven. A chunk that two peers gave counts for the first.
    public var verifiedByteCount: UInt64
    /// Bytes per second over the last seconds.
    public var rate: Double
    /// The shortest time from a request to its answer, if one was measured.
    public var roundTrip: Duration?
    /// Chunks asked for and not here yet.
    public var outstandingChunkCount: Int
    /// Chunks that may be asked for at once, as of now.
    public var windowChunkCount: Int
    /// How often it was silent for ``DownloadConfiguration/requestTimeout``.
    public var stallCount: Int
    /// It is silent now: its chunks are asked of others.
    public var isStalled: Bool
    /// False once the peer left or was let go.
    public var isConnected: Bool
}
