/// Why a ``ContentGate`` lets a peer not have a content.
public enum GateRefusal: Hashable, Sendable, CaseIterable {
    /// The peer has proven nothing yet. It may do so, by `/dig/auth/1.0.0`, and ask again.
    case authenticationRequired
    /// What the peer has proven is not enough.
    case notAuthorized
    /// The host could not decide; asking later may help.
    case undecided

    /// As it goes over the wire.
    var reason: UnavailableReason {
        switch self {
        case .authenticationRequired: .authenticationRequired
        case .notAuthorized: .notAuthorized
        case .undecided: .busy
        }
    }
}
