import DIGMultiformats

/// What two peers say to each other before they dial at the same time (DCUtR, "RPC messages").
enum PunchMessage: Hashable, Sendable {
    /// Where the sender can be reached: its observed and mapped addresses.
    case connect([Multiaddr])
    /// Dial now.
    case sync
}
