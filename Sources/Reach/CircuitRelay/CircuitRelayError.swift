/// A circuit could not be made, or a reservation not be had.
public struct CircuitRelayError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Switch on this.
    public var code: Code
    /// For a person: which relay, peer or field; never parsed.
    public var message: String
    /// What the relay answered, if it is the relay that refused.
    public var status: RelayStatus?
    public var cause: (any Error)?

    public init(_ code: Code, _ message: String, status: RelayStatus? = nil, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.status = status
        self.cause = cause
    }

    public var description: String {
        guard let cause = self.cause else { return self.message }
        return "\(self.message): \(cause)"
    }

    public static func == (lhs: Self, rhs: Self) -> Bool { lhs.code == rhs.code }
    public func hash(into hasher: inout Hasher) { hasher.combine(self.code) }

    /// What went wrong, to be told apart by a program.
    public struct Code: Hashable, Sendable {
        private enum Value {
            case invalidAddress, notAttached, relayUnreachable, reservationRefused, resourceLimitExceeded, permissionDenied, connectionFailed
            case noReservation, malformedResponse, invalidReservation, timedOut, closed
        }
        private let value: Value
        /// The address is no circuit address, leads through two relays, or through the peer itself. It can't be dialed.
        public static let invalidAddress = Self(value: .invalidAddress)
        /// The transport has no swarm yet.
        public static let notAttached = Self(value: .notAttached)
        /// No direct connection to the relay, or it does not speak the protocol. Another relay may do.
        public static let relayUnreachable = Self(value: .relayUnreachable)
        /// The relay gives no reservation now. Another relay may.
        public static let reservationRefused = Self(value: .reservationRefused)
        /// A limit of the relay is reached. Later, or another relay.
        public static let resourceLimitExceeded = Self(value: .resourceLimitExceeded)
        /// The relay does not serve this peer. Retrying will not help.
        public static let permissionDenied = Self(value: .permissionDenied)
        /// The relay could not reach the peer, or the peer did not want the circuit.
        public static let connectionFailed = Self(value: .connectionFailed)
        /// The peer has no reservation at this relay. It may have one at another.
        public static let noReservation = Self(value: .noReservation)
        /// The answer is no answer of the protocol.
        public static let malformedResponse = Self(value: .malformedResponse)
        /// The relay grants something that is not true: a voucher that is not valid, a time that is over. Use another relay.
        public static let invalidReservation = Self(value: .invalidReservation)
        /// No answer in time.
        public static let timedOut = Self(value: .timedOut)
        /// The listener or the service has ended.
        public static let closed = Self(value: .closed)
    }
}

extension CircuitRelayError {
    /// What an answer other than OK means.
    init(refusedBy relay: String, status: RelayStatus) {
        let code: Code
        switch status {
        case .reservationRefused: code = .reservationRefused
        case .resourceLimitExceeded: code = .resourceLimitExceeded
        case .permissionDenied: code = .permissionDenied
        case .connectionFailed: code = .connectionFailed
        case .noReservation: code = .noReservation
        default: code = .malformedResponse
        }
        self.init(code, "the relay \(relay) answered \(status)", status: status)
    }
}
