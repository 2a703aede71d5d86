public import DIGIdentity
public import Foundation

/// What was seen of one peer.
public struct PeerHistory: Hashable, Sendable {
    public var peer: PeerID
    /// Verified bytes it gave us.
    public var receivedByteCount: UInt64
    /// Bytes we gave it.
    public var sentByteCount: UInt64
    /// Transfers that failed by its fault: corrupt chunks, stalls, lies.
    public var failureCount: UInt64
    /// To the millisecond.
    public var lastSeen: Date

    public init(peer: PeerID, receivedByteCount: UInt64 = 0, sentByteCount: UInt64 = 0, failureCount: UInt64 = 0, lastSeen: Date) {
        self.peer = peer
        self.receivedByteCount = receivedByteCount
        self.sentByteCount = sentByteCount
        self.failureCount = failureCount
        self.lastSeen = lastSeen
    }
}
