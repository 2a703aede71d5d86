/// A key file could not be read or made.
public struct KeyFileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Switch on this.
    public var code: Code
    /// For a person: which file, and what to do; never parsed, never with key material.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { self.message }

    public static func == (lhs: Self, rhs: Self) -> Bool { lhs.code == rhs.code }
    public func hash(into hasher: inout Hasher) { hasher.combine(self.code) }

    public struct Code: Hashable, Sendable {
        private enum Value { case notFound, alreadyExists, tooPermissive, invalidContent, system }
        private let value: Value
        /// There is no file of this name.
        public static let notFound = Self(value: .notFound)
        /// There is a file of this name already; it was left as it is.
        public static let alreadyExists = Self(value: .alreadyExists)
        /// Others than its owner can read or write the file. The message has the command to run.
        public static let tooPermissive = Self(value: .tooPermissive)
        /// The file is not a regular file with one private key.
        public static let invalidContent = Self(value: .invalidContent)
        /// The system refused; the message has its reason.
        public static let system = Self(value: .system)
    }
}
