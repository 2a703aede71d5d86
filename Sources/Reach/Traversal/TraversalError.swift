/// A peer could not be reached, or the way to it was not understood.
public struct TraversalError: Error, Hashable, Sendable, CustomStringConvertible {
    public var code: Code
    /// For a person; never parsed.
    public var message: String
    /// What each method did, in the order in which they were given up.
    public var attempts: [AttemptRecord]

    public init(_ code: Code, _ message: String, attempts: [AttemptRecord] = []) {
        self.code = code
        self.message = message
        self.attempts = attempts
    }

    public var description: String {
        ([self.message] + self.attempts.map { "  \($0)" }).joined(separator: "\n")
    }

    public static func == (lhs: Self, rhs: Self) -> Bool { lhs.code == rhs.code }
    public func hash(into hasher: inout Hasher) { hasher.combine(self.code) }

    /// What went wrong, to be told apart by a program.
    public struct Code: Hashable, Sendable {
        private enum Value { case allMethodsFailed, noMethod, unknownMethod }
        private let value: Value
        /// Every method was tried; ``TraversalError/attempts`` lists each with its cause.
        public static let allMethodsFailed = Self(value: .allMethodsFailed)
        /// Nothing that is known of the peer can be tried by the methods allowed.
        public static let noMethod = Self(value: .noMethod)
        /// A name that is no method.
        public static let unknownMethod = Self(value: .unknownMethod)
    }
}
