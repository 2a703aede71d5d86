/// Nothing could be searched or announced.
public struct DiscoveryError: Error, Hashable, Sendable, CustomStringConvertible {
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
        private enum Value { case alreadyRunning, invalidConfiguration, limitExceeded, unreachable, timedOut, withdrawn, closed }
        private let value: Value
        /// `run()` was called before.
        public static let alreadyRunning = Self(value: .alreadyRunning)
        /// Two mechanisms with one source.
        public static let invalidConfiguration = Self(value: .invalidConfiguration)
        /// More is announced or searched for than the configuration allows.
        public static let limitExceeded = Self(value: .limitExceeded)
        /// A mechanism has nobody to ask or to tell. Later it may.
        public static let unreachable = Self(value: .unreachable)
        /// A mechanism has not answered in time.
        public static let timedOut = Self(value: .timedOut)
        /// The content was withdrawn while it was being announced.
        public static let withdrawn = Self(value: .withdrawn)
        /// The service has ended.
        public static let closed = Self(value: .closed)
    }
}
