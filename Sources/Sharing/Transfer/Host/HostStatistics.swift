public import DIGContent
public import DIGIdentity

/// What a host has uploaded, and to whom it uploads now.
public struct HostStatistics: Hashable, Sendable {
    /// One content in one session.
    public struct Upload: Hashable, Sendable {
        /// To whom.
        public var peer: PeerID
        /// Of what.
        public var contentHash: ContentHash
        /// Of chunk bodies, in this session.
        public var byteCount: UInt64
        /// In this session.
        public var chunkCount: UInt64
        /// Now, see ``DecayingRate``.
        public var bytesPerSecond: Double
    }

    /// Open sessions.
    public var sessionCount: Int
    /// Of the sessions that are open. Handed to the stream, not necessarily received.
    public var uploads: [Upload]
    /// Of all sessions, closed ones too.
    public var byteCount: UInt64
    /// Of all sessions, closed ones too.
    public var chunkCount: UInt64
    /// Of all sessions together, now.
    public var bytesPerSecond: Double
    /// Sessions turned away at a limit.
    public var refusedSessionCount: Int
    /// Sessions reset because the peer broke the protocol.
    public var violationCount: Int
}
