/// Bounds of a ``TransferHost``.
public struct TransferHostConfiguration: Hashable, Sendable {
    /// Bytes per second for all uploads together. Nil: no limit. Can be changed later, see ``TransferHost/uploadLimiter``.
    public var uploadBytesPerSecond: Int?
    /// Bytes per second for each session. Nil: no limit.
    public var sessionBytesPerSecond: Int?
    /// Sessions at once. One more resets the one that was sent nothing for longest, see ``unusedSessionGrace``, or is reset itself.
    public var maximumSessionCount = 256
    /// Sessions at once with one peer. One for each connection is what a client needs.
    public var maximumSessionsPerPeer = 4
    /// How long a session may be without a chunk sent before it makes room for another.
    public var unusedSessionGrace: Duration = .seconds(10)
    /// Read from disk for one session and not yet handed to its stream. Less makes a slow disk felt, more costs memory.
    public var readAheadByteCount = 2 * 1024 * 1024
    /// The same for all sessions together: with many sessions each gets its share, but always one piece.
    public var totalReadAheadByteCount = 128 * 1024 * 1024
    /// Read from disk in one go. At least one chunk, at most 64 chunks.
    public var pieceByteCount = 512 * 1024
    /// Files open at once; the one unused for longest is closed.
    public var openFileCount = 128
    /// Memory for hash trees; the one unused for longest is dropped and read again when needed.
    public var hashCacheByteCount = 64 * 1024 * 1024
    /// Clients may choose smaller chunks than a file was hashed in: their hashes are made again from the file, of which so much is read for
    /// one answer of 1024 hashes. 128 MiB is enough for chunks of up to 128 KiB. 0: chunks are served as they were hashed, or larger.
    public var lowerLayerByteCount = 128 * 1024 * 1024
    /// A session without a byte in either direction for so long is reset, also one whose peer stopped reading.
    public var idleTimeout: Duration = .seconds(120)
    /// New chunks of a download in progress are told at most so often.
    public var availabilityInterval: Duration = .milliseconds(100)

    public init() {}
}
