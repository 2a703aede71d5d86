public import DIGContent
public import DIGIdentity

/// What a host has uploaded, and to whom it uploads now.
public struct HostStatistics: Hashable, Sendable {
    /// One content in one session.
    public struct Upload: Hashable, Sendable {
        /// The peer that fetches.
        public var peer: PeerID
        /// What it fetches.
        public var contentHash: ContentHash
        /// Bytes of chunk bodies, in this session.
        public var byteCount: UInt64
        /// Chunks, in this session.
        public var chunkCount: UInt64
        /// Now, see ``DecayingRate``.
        public var bytesPerSecond: Double
    }

    /// Open sessions.
    public var sessionCount: Int
    /// Of the sessions that are open. Handed to the stream, not necessarily received.
    public var uploads: [Upload]
    /// Bytes of chunk bodies of all sessions, closed ones too.
    public var byteCount: UInt64
    /// Chunks of all sessions, closed ones too.
    public var chunkCount: UInt64
    /// Of all sessions together, now.
    public var bytesPerSecond: Double
    /// Sessions turned away at a limit.
    public var refusedSessionCount: Int
    /// Sessions reset because the peer broke the protocol.
    public var violationCount: Int
}
