/// A connection, or a stream in it, could not be made or kept.
public struct ConnectionError: Error, Hashable, Sendable, CustomStringConvertible {
    public var code: Code
    /// For a person: which peer, address or protocol; never parsed.
    public var message: String
    public var cause: (any Error)?

    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    public var description: String {
        guard let cause = self.cause else { return self.message }
        return "\(self.message): \(cause)"
    }

    public static func == (lhs: Self, rhs: Self) -> Bool { lhs.code == rhs.code }
    public func hash(into hasher: inout Hasher) { hasher.combine(self.code) }

    public struct Code: Hashable, Sendable {
        private enum Value { case closed, noCommonProtocol, streamLimitExceeded, timedOut, peerMismatch, protocolViolation, allAttemptsFailed, limitExceeded, addressForbidden, notListening }
        private let value: Value
        /// The connection or stream is closed. Dial again.
        public static let closed = Self(value: .closed)
        /// The peer speaks none of the protocols offered. Retrying will not help.
        public static let noCommonProtocol = Self(value: .noCommonProtocol)
        /// Too many streams are open on the connection. Close some first.
        public static let streamLimitExceeded = Self(value: .streamLimitExceeded)
        /// No answer in time.
        public static let timedOut = Self(value: .timedOut)
        /// Somebody else answered at the address: the key proven is not that of the peer dialed.
        public static let peerMismatch = Self(value: .peerMismatch)
        /// The peer broke the rules of a protocol.
        public static let protocolViolation = Self(value: .protocolViolation)
        /// Every address was tried; the message lists each with its cause.
        public static let allAttemptsFailed = Self(value: .allAttemptsFailed)
        /// A configured limit on connections is reached.
        public static let limitExceeded = Self(value: .limitExceeded)
        /// The address may not be dialed: the configuration forbids it, a stranger named it and it is not on the public internet, or it
        /// leads over a relay where a direct connection is wanted.
        public static let addressForbidden = Self(value: .addressForbidden)
        /// A punch leaves from a listening port, and nothing listens in the family of the address. Listen first.
        public static let notListening = Self(value: .notListening)
    }
}
