/// A STUN server could not be asked, or its answer is not to be believed.
public struct STUNError: Error, Hashable, Sendable, CustomStringConvertible {
    public var code: Code
    /// For a person: which server, which address; never parsed.
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

    /// What went wrong, to be told apart by a program.
    public struct Code: Hashable, Sendable {
        private enum Value {
            case timedOut, wrongSource, badFingerprint, malformed, addressRefused, errorResponse, invalidAddress, unresolved, unsupported
            case limitExceeded, closed, connectionFailed, noServers
        }
        private let value: Value
        /// No answer after the last transmission. UDP may be blocked, or the server gone.
        public static let timedOut = Self(value: .timedOut)
        /// Only somebody else answered. Nothing of it was believed.
        public static let wrongSource = Self(value: .wrongSource)
        /// The answer was damaged: something on the way changes packets, or it is no STUN.
        public static let badFingerprint = Self(value: .badFingerprint)
        /// The answer is no valid STUN message, is too long, or lacks the address.
        public static let malformed = Self(value: .malformed)
        /// The server named an address that cannot be true, such as a private one seen from the internet.
        public static let addressRefused = Self(value: .addressRefused)
        /// The server said no; the cause is its ``STUNErrorCode``.
        public static let errorResponse = Self(value: .errorResponse)
        /// No `stun:` address.
        public static let invalidAddress = Self(value: .invalidAddress)
        /// The server's name has no address.
        public static let unresolved = Self(value: .unresolved)
        /// The server cannot be asked this way: TLS, or an address family that the socket lacks.
        public static let unsupported = Self(value: .unsupported)
        /// Too many requests are waiting for answers. Wait for some first.
        public static let limitExceeded = Self(value: .limitExceeded)
        /// The socket is closed.
        public static let closed = Self(value: .closed)
        /// No TCP connection to the server.
        public static let connectionFailed = Self(value: .connectionFailed)
        /// None of the servers given can be asked; the message names each with its reason.
        public static let noServers = Self(value: .noServers)
    }
}

extension STUNErrorCode: Error {}
