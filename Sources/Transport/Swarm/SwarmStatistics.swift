/// What a ``Swarm`` holds at one moment, and what it has moved.
public struct SwarmStatistics: Hashable, Sendable {
    public var openConnections: Int
    /// Of all connections, also those being negotiated.
    public var openStreams: Int
    /// Accepted channels that are still shaking hands.
    public var inboundHandshakes: Int
    public var pendingDials: Int
    /// On all connections so far, encryption and framing included.
    public var bytesReceived: UInt64
    public var bytesSent: UInt64
    /// Events that readers were too slow for.
    public var droppedEvents: UInt64
}
