/// A WebSocket could not be made or kept.
public struct WebSocketError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Switch on this.
    public var code: Code
    /// For a person; never parsed.
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
        private enum Value { case refused, tlsFailed, protocolViolation, timedOut, invalidConfiguration }
        private let value: Value
        /// What answers there speaks HTTP but no WebSocket, or not to us: a proxy without a way to the peer, another program.
        public static let refused = Self(value: .refused)
        /// No TLS connection: the certificate does not belong to the name, or nobody trusted has signed it.
        public static let tlsFailed = Self(value: .tlsFailed)
        /// The other end broke the rules of HTTP or RFC 6455.
        public static let protocolViolation = Self(value: .protocolViolation)
        /// The handshake was not done in time.
        public static let timedOut = Self(value: .timedOut)
        /// A certificate or key can't be used, or `/wss` is to be listened on without one.
        public static let invalidConfiguration = Self(value: .invalidConfiguration)
    }
}
