public import DIGNet

/// Circuit relay v2: a peer that nobody can dial is reached through one that everybody can (libp2p specification relay/circuit-v2).
public enum CircuitRelay {
    /// Spoken to a relay: reserve a slot, connect to a peer that has one.
    public static let hopProtocolID: ProtocolID = "/libp2p/circuit/relay/0.2.0/hop"
    /// Spoken by a relay to a peer with a reservation: somebody wants to connect.
    public static let stopProtocolID: ProtocolID = "/libp2p/circuit/relay/0.2.0/stop"

    /// The longest message, without its length; what go-libp2p and rust-libp2p read too.
    public static let maximumMessageByteCount = 4096

    /// The tag under which a relay keeps connections with reservations open, see ``ConnectionProtector``. Clients have one each.
    static let hopProtectionTag = "circuit-relay-hop"
}
