/// Why a ``RelayService`` said no.
public enum RelayRefusal: String, CaseIterable, Hashable, Sendable {
    /// The service is off.
    case disabled
    /// The request came over a relay (circuit-v2, "Reservation": no reservations over relayed connections).
    case relayed
    /// ``RelayServiceConfiguration/permits`` said no.
    case denied
    case tooManyReservations
    case tooManyReservationsFromNetwork
    /// The bytes of the day or the month are used up.
    case budgetExhausted
    /// The target has no reservation, or lost its connection.
    case noReservation
    case tooManyCircuits
    case tooManyCircuitsOfPeer
    case tooManyCircuitsFromNetwork
    case tooManyRequests
    /// The initiator named itself.
    case targetIsInitiator
    /// The target did not answer or refused.
    case targetFailed
    case malformed
    case unexpected

    /// What the peer is told.
    var status: RelayStatus {
        switch self {
        case .disabled, .relayed, .denied: .permissionDenied
        case .tooManyReservations, .tooManyReservationsFromNetwork: .reservationRefused
        case .budgetExhausted, .tooManyCircuits, .tooManyCircuitsOfPeer, .tooManyCircuitsFromNetwork, .tooManyRequests: .resourceLimitExceeded
        case .noReservation: .noReservation
        case .targetIsInitiator, .targetFailed: .connectionFailed
        case .malformed: .malformedMessage
        case .unexpected: .unexpectedMessage
        }
    }

    /// What a peer is told that wanted a reservation.
    var reservationStatus: RelayStatus { self == .budgetExhausted ? .reservationRefused : self.status }
}

extension RelayRefusal: Error {}
