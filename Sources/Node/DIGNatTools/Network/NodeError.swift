/// A node could not start, share or find something.
public struct NodeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Switch on this.
    public var code: Code
    /// For a person: what happened and what to do next; never parsed.
    public var message: String
    /// What went wrong below, if something did.
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

    /// What a caller can tell apart. There may be more in later versions.
    public struct Code: Hashable, Sendable {
        private enum Value { case cannotListen, directoryUnusable, notShared, notFound, ambiguousName, unreachable }
        private let value: Value
        /// None of the addresses could be bound. Is the port taken?
        public static let cannotListen = Self(value: .cannotListen)
        /// The data directory cannot be created or used.
        public static let directoryUnusable = Self(value: .directoryUnusable)
        /// What was to be removed is not shared.
        public static let notShared = Self(value: .notShared)
        /// Nobody who could be asked knows the content or its name.
        public static let notFound = Self(value: .notFound)
        /// Different peers bind the name to different contents; the message lists them.
        public static let ambiguousName = Self(value: .ambiguousName)
        /// Holders are known, none of them could be reached; the message says why for each.
        public static let unreachable = Self(value: .unreachable)
    }
}
