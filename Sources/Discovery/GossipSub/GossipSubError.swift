/// Something could not be subscribed to or published.
public struct GossipSubError: Error, Hashable, Sendable, CustomStringConvertible {
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
        private enum Value { case alreadyRunning, alreadySubscribed, invalidTopic, messageTooLong, limitExceeded, signingFailed, invalidConfiguration }
        private let value: Value
        /// `run()` was called before.
        public static let alreadyRunning = Self(value: .alreadyRunning)
        /// One subscription of a topic at a time. Share its stream, or unsubscribe first.
        public static let alreadySubscribed = Self(value: .alreadySubscribed)
        /// Empty, or of more than 512 bytes.
        public static let invalidTopic = Self(value: .invalidTopic)
        /// More than ``GossipSubConfiguration/maximumMessageByteCount``.
        public static let messageTooLong = Self(value: .messageTooLong)
        /// More topics than ``GossipSubConfiguration/maximumSubscriptions``.
        public static let limitExceeded = Self(value: .limitExceeded)
        /// The identity has no private key, or could not sign.
        public static let signingFailed = Self(value: .signingFailed)
        /// The configuration can't work; found by `run()`.
        public static let invalidConfiguration = Self(value: .invalidConfiguration)
    }
}
