/// A direct connection could not be made by punching.
public struct HolePunchError: Error, Hashable, Sendable, CustomStringConvertible {
    /// One attempt that failed.
    public struct Attempt: Sendable, CustomStringConvertible {
        /// From 1.
        public var number: Int
        public var method: PunchMethod
        /// What the dial failed with; names each address with its cause.
        public var error: any Error

        public init(number: Int, method: PunchMethod, error: any Error) {
            self.number = number
            self.method = method
            self.error = error
        }

        public var description: String { "attempt \(self.number) (\(self.method.rawValue)): \(self.error)" }
    }

    /// Switch on this.
    public var code: Code
    /// For a person; never parsed.
    public var message: String
    /// In order.
    public var attempts: [Attempt]
    public var cause: (any Error)?

    public init(_ code: Code, _ message: String, attempts: [Attempt] = [], cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.attempts = attempts
        self.cause = cause
    }

    public var description: String {
        var text = self.message
        if let cause = self.cause { text += ": \(cause)" }
        for attempt in self.attempts { text += "; \(attempt)" }
        return text
    }

    static let noOwnAddressMessage = "no address at which the peer could reach this node is known; a relay or another contact, named to this node, would tell one"
    static let notAllowedMessage = "no method of punching is allowed with the peer"

    public static func == (lhs: Self, rhs: Self) -> Bool { lhs.code == rhs.code }
    public func hash(into hasher: inout Hasher) { hasher.combine(self.code) }

    /// What went wrong, to be told apart by a program.
    public struct Code: Hashable, Sendable {
        private enum Value {
            case mappingNotReusable, noOwnAddress, noUsableAddress, notSupported, signalingFailed, protocolViolation, timedOut, allAttemptsFailed
            case busy, limitExceeded, notAllowed, notRelayed, closed
        }
        private let value: Value
        /// The NAT here gives every destination another port, and the peer lets nobody in from a port it did not aim at. Use a relay.
        public static let mappingNotReusable = Self(value: .mappingNotReusable)
        /// This node does not know where it can be reached. Ask for observed addresses first.
        public static let noOwnAddress = Self(value: .noOwnAddress)
        /// The peer named no address that may be dialed.
        public static let noUsableAddress = Self(value: .noUsableAddress)
        /// The peer does not speak the protocol.
        public static let notSupported = Self(value: .notSupported)
        /// The way to the peer broke, or the peer ended the conversation.
        public static let signalingFailed = Self(value: .signalingFailed)
        /// The peer sent what it may not.
        public static let protocolViolation = Self(value: .protocolViolation)
        /// The budget is used up, or the peer did not answer.
        public static let timedOut = Self(value: .timedOut)
        /// Every attempt failed; ``HolePunchError/attempts`` says why.
        public static let allAttemptsFailed = Self(value: .allAttemptsFailed)
        /// A punch with this peer is under way: the result of that one counts.
        public static let busy = Self(value: .busy)
        /// A configured limit is reached.
        public static let limitExceeded = Self(value: .limitExceeded)
        /// No method of punching is allowed with the peer.
        public static let notAllowed = Self(value: .notAllowed)
        /// The connection needs no upgrade, or this end may not begin it.
        public static let notRelayed = Self(value: .notRelayed)
        /// The service has ended.
        public static let closed = Self(value: .closed)
    }
}
