/// Something can't be announced or exchanged.
public struct PeerExchangeError: Error, Hashable, Sendable, CustomStringConvertible {
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
        private enum Value { case alreadyRunning, invalidAnnouncement, notOwn, limitExceeded, unexpectedAnswer }
        private let value: Value
        /// `run()` was called before.
        public static let alreadyRunning = Self(value: .alreadyRunning)
        /// No announcement that a peer would believe; the cause says why.
        public static let invalidAnnouncement = Self(value: .invalidAnnouncement)
        /// The announcement is somebody else's. Nodes announce for themselves only.
        public static let notOwn = Self(value: .notOwn)
        /// More keys than the configuration allows.
        public static let limitExceeded = Self(value: .limitExceeded)
        /// A peer's answer can't be read, or is to another question.
        public static let unexpectedAnswer = Self(value: .unexpectedAnswer)
    }
}
