public import DIGIdentity
public import DIGMultiformats
public import DIGNet

/// What happens while a hole is punched, for whoever wants to know why.
public struct PunchEvent: Sendable {
    /// Which side of the coordination this node has.
    public enum Side: String, Hashable, Sendable {
        /// Measures the round trip and says when; the listener of the connection.
        case initiator
        /// Dials when it is told to; the dialer of the connection.
        case responder
    }

    /// What has happened.
    public enum Kind: Sendable {
        /// - Parameter attempt: From 1.
        case started(attempt: Int, method: PunchMethod)
        /// Both sides know when to dial.
        ///
        /// - Parameters:
        ///   - roundTrip: Over the signaling path.
        ///   - addresses: What is dialed.
        case synchronized(roundTrip: Duration, addresses: [Multiaddr])
        /// - Parameter duration: Since the punch began.
        case succeeded(any Connection, method: PunchMethod, duration: Duration)
        /// The attempt is over; another may follow.
        case attemptFailed(HolePunchError.Attempt)
        /// Nothing follows.
        case failed(HolePunchError)
    }

    public var peer: PeerID
    public var side: Side
    /// What ``signaling`` says when the peers talk over a relayed connection.
    public static let relaySignaling = "relay"

    /// What the peers talk over: `relay`, or a backend's ``Signaling/name``.
    public var signaling: String
    public var kind: Kind
}
