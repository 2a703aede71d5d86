/// How a request was answered (circuit-v2, "Protobuf", `Status`).
///
/// A number, so that codes of later revisions survive: everything but ``ok`` is a refusal.
public struct RelayStatus: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public var rawValue: Int32

    public init(rawValue: Int32) { self.rawValue = rawValue }

    public static let ok = Self(rawValue: 100)
    /// No reservation: there are too many, or the relay doesn't want to say why.
    public static let reservationRefused = Self(rawValue: 200)
    /// Too many circuits of the initiator or to the target, or the relay's budget is used up.
    public static let resourceLimitExceeded = Self(rawValue: 201)
    /// The relay does not serve the peer, or not over such a connection.
    public static let permissionDenied = Self(rawValue: 202)
    /// The target could not be reached or refused.
    public static let connectionFailed = Self(rawValue: 203)
    /// The target has no reservation here.
    public static let noReservation = Self(rawValue: 204)
    public static let malformedMessage = Self(rawValue: 400)
    public static let unexpectedMessage = Self(rawValue: 401)

    public var description: String {
        switch self {
        case .ok: "OK"
        case .reservationRefused: "RESERVATION_REFUSED"
        case .resourceLimitExceeded: "RESOURCE_LIMIT_EXCEEDED"
        case .permissionDenied: "PERMISSION_DENIED"
        case .connectionFailed: "CONNECTION_FAILED"
        case .noReservation: "NO_RESERVATION"
        case .malformedMessage: "MALFORMED_MESSAGE"
        case .unexpectedMessage: "UNEXPECTED_MESSAGE"
        default: "status \(self.rawValue)"
        }
    }
}
