/// A UDP port could not be bound.
public struct UDPError: Error, Hashable, Sendable, CustomStringConvertible {
    public var code: Code
    /// For a person: which address; never parsed.
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
        private enum Value { case addressInUse, addressUnavailable, failed }
        private let value: Value
        /// Another socket has the port. Choose another, or 0.
        public static let addressInUse = Self(value: .addressInUse)
        /// The machine has no such address, or not this address family.
        public static let addressUnavailable = Self(value: .addressUnavailable)
        /// The system refused for another reason; see the cause.
        public static let failed = Self(value: .failed)
    }
}
