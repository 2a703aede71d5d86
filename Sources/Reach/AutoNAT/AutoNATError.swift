/// A peer could not be asked whether it reaches this node, or its answer is worth nothing.
public struct AutoNATError: Error, Hashable, Sendable, CustomStringConvertible {
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
        private enum Value { case notSupported, rejected, serverFailed, malformedAnswer, unverified, dataRefused, timedOut, closed, alreadyRunning }
        private let value: Value
        /// The peer does not speak the protocol, or is connected through a relay. Ask another.
        public static let notSupported = Self(value: .notSupported)
        /// The peer serves no more requests for now. Ask another, or later.
        public static let rejected = Self(value: .rejected)
        /// The peer says that something went wrong on its side.
        public static let serverFailed = Self(value: .serverFailed)
        /// The answer breaks the protocol. Don't ask this peer again soon.
        public static let malformedAnswer = Self(value: .malformedAnswer)
        /// The peer claims a dial of which nothing arrived here, or arrived elsewhere than claimed.
        public static let unverified = Self(value: .unverified)
        /// The peer asks for more bytes than this node gives for a dial.
        public static let dataRefused = Self(value: .dataRefused)
        /// No answer in time.
        public static let timedOut = Self(value: .timedOut)
        /// The stream or connection ended before the answer.
        public static let closed = Self(value: .closed)
        /// `run()` was called while another call had not returned.
        public static let alreadyRunning = Self(value: .alreadyRunning)
    }
}
