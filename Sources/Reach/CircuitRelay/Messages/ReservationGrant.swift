import DIGMultiformats

/// A reservation as the relay words it; ``Reservation`` is one that was checked.
struct ReservationGrant: Hashable, Sendable {
    /// Unix time, by the relay's clock.
    var expirationSeconds: UInt64
    /// Where the relay can be reached, as a rule with `/p2p/<relay>` at the end. Those with protocols not known here are left out.
    var addresses: [Multiaddr]
    /// A signed envelope; nil from relays that give none.
    var voucher: [UInt8]?
}
