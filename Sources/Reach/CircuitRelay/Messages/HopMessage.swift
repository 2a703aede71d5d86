import DIGIdentity
import DIGMultiformats

/// What is said on a hop stream (circuit-v2, "Hop Protocol").
enum HopMessage: Hashable, Sendable {
    /// Give me a reservation.
    case reserve
    /// Connect me to this peer. Addresses for active relaying, which is deprecated, are not read.
    case connect(PeerID)
    /// The answer to either.
    case status(RelayStatus, reservation: ReservationGrant?, limit: RelayLimit?)

    static func status(_ status: RelayStatus) -> HopMessage { .status(status, reservation: nil, limit: nil) }
}
