/// What a name stands for could not be found out.
public struct DNSError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Switch on this.
    public var code: Code
    /// For a person: which name; never parsed.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { self.message }

    public static func == (lhs: Self, rhs: Self) -> Bool { lhs.code == rhs.code }
    public func hash(into hasher: inout Hasher) { hasher.combine(self.code) }

    /// What went wrong, to be told apart by a program.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Value { case invalidName, notFound, timedOut, failed, malformed, limitExceeded }
        private let value: Value
        public var description: String { "\(self.value)" }

        /// No such name can be asked for.
        public static let invalidName = Self(value: .invalidName)
        /// The name does not exist, has no such records, or none of them is an address that fits.
        public static let notFound = Self(value: .notFound)
        /// No server answered in time, or none could say. Try again.
        public static let timedOut = Self(value: .timedOut)
        /// A server refused, or this machine has none.
        public static let failed = Self(value: .failed)
        /// The answer is no DNS message.
        public static let malformed = Self(value: .malformed)
        /// Too many questions are under way. Try again later.
        public static let limitExceeded = Self(value: .limitExceeded)
    }
}
