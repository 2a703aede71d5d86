import DIGIdentity
import DIGMultiformats
import DIGNet

/// Whom a dial is to reach.
enum DialTarget: Hashable {
    case peer(PeerID)
    /// Whoever answers there.
    case address(Multiaddr)
}

/// Tells dials apart. Only a dial that asks for the same is joined.
struct DialKey: Hashable {
    var target: DialTarget
    var options: DialOptions
    /// Different for every dial that wants a connection of its own, else 0.
    var serial: UInt64 = 0
}
