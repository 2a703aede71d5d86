import DIGIdentity
import DIGMultiformats

/// A peer that this node has met itself: it was or is connected and speaks the protocol.
struct Contact: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// As it gave it itself; only with one it is passed on.
    var record: SignedPeerRecord?
    /// What it said in identify, signed or not.
    var addresses: [Multiaddr] = []
    /// Nil while it is connected.
    var leftAt: Instant?

    var isConnected: Bool { self.leftAt == nil }

    var knownAddresses: [Multiaddr] { self.record?.addresses ?? self.addresses }
}
