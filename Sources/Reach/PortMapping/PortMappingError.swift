/// A port mapping could not be made or kept.
public struct PortMappingError: Error, Hashable, Sendable, CustomStringConvertible {
    public var code: Code
    /// For a person: which gateway, port, value received; never parsed.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { self.message }

    public static func == (lhs: Self, rhs: Self) -> Bool { lhs.code == rhs.code }
    public func hash(into hasher: inout Hasher) { hasher.combine(self.code) }

    /// What went wrong, to be told apart by a program.
    public struct Code: Hashable, Sendable {
        private enum Value {
            case noGateway, unresponsive, notSupported, refused, conflict, outOfResources, noExternalAddress, malformedAnswer, networkFailure, expired
            case removedByGateway, gatewayChanged, cancelled, alreadyRunning, tooManyRequests, invalidRequest
        }
        private let value: Value
        /// The machine has no default route of this family.
        public static let noGateway = Self(value: .noGateway)
        /// No answer after the last transmission. Another protocol may work.
        public static let unresponsive = Self(value: .unresponsive)
        /// The gateway said that it does not speak the protocol, or nobody listens. Another protocol may work.
        public static let notSupported = Self(value: .notSupported)
        /// The gateway said no. Its owner can change that in its settings.
        public static let refused = Self(value: .refused)
        /// The external port is taken, and no other was found or wanted.
        public static let conflict = Self(value: .conflict)
        /// The gateway has no room. It may have later.
        public static let outOfResources = Self(value: .outOfResources)
        /// The gateway has no external address, or names one that cannot be: its own connection is down, or it lies.
        public static let noExternalAddress = Self(value: .noExternalAddress)
        /// What came back breaks the protocol, or a limit.
        public static let malformedAnswer = Self(value: .malformedAnswer)
        /// This machine could not send: no route, no permission.
        public static let networkFailure = Self(value: .networkFailure)
        /// The gateway did not renew the mapping in time.
        public static let expired = Self(value: .expired)
        /// The mapping is not in the gateway's table any more.
        public static let removedByGateway = Self(value: .removedByGateway)
        /// The machine uses another gateway or address.
        public static let gatewayChanged = Self(value: .gatewayChanged)
        /// The mapper ended.
        public static let cancelled = Self(value: .cancelled)
        /// ``PortMapper/run()`` was called while another call had not returned.
        public static let alreadyRunning = Self(value: .alreadyRunning)
        /// More than ``PortMapperConfiguration/maximumRequestCount``.
        public static let tooManyRequests = Self(value: .tooManyRequests)
        /// Port 0 cannot be mapped.
        public static let invalidRequest = Self(value: .invalidRequest)
    }
}

extension PortMappingError {
    /// Anything that an operation threw, told as one of ours.
    init(wrapping error: any Error) {
        switch error {
        case let error as PortMappingError: self = error
        case is CancellationError: self.init(.cancelled, "cancelled")
        default: self.init(.networkFailure, "\(error)")
        }
    }
}
