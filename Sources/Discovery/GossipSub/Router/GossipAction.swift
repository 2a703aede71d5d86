import DIGIdentity
import DIGMultiformats

/// What the router wants done.
enum GossipAction: Hashable, Sendable {
    case send(GossipRPC, to: PeerID)
    /// To whoever has subscribed here.
    case deliver(GossipMessage)
    /// Somebody trusted has named a peer, and the peer itself its addresses.
    case connect(PeerID, addresses: [Multiaddr])
}
