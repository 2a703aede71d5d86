/// How a connection to a peer is to be made.
public struct DialOptions: Hashable, Sendable {
    /// Who named the addresses.
    public enum AddressSource: Hashable, Sendable {
        /// The user, the configuration, or this machine's own network: anything may be dialed.
        case user
        /// A peer: only addresses on the public internet are dialed, see ``AddressPolicy``.
        case stranger
    }

    public var purpose: DialPurpose = .connect
    /// A relayed connection is not enough: circuit addresses are left out, and one that is open already is not returned.
    public var requiresDirect = false
    /// An open connection is not enough either: a new one is made.
    public var requiresNew = false
    /// Which side of the handshake this end takes. `.listener` for one end of a simultaneous open, where both dial; if the peer takes that
    /// side too, as when it has accepted the dial in the ordinary way, this end becomes the dialer after a second.
    public var role: ConnectionRole = .dialer
    public var source: AddressSource = .user
    /// For the whole dial. Nil: the configured time.
    public var timeout: Duration?

    public init() {}
}
