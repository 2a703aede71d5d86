/// Local discovery could not run.
public struct LocalDiscoveryError: Error, Hashable, Sendable, CustomStringConvertible {
    public var code: Code
    /// For a person; never parsed.
    public var message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { self.message }

    public static func == (lhs: Self, rhs: Self) -> Bool { lhs.code == rhs.code }
    public func hash(into hasher: inout Hasher) { hasher.combine(self.code) }

    public struct Code: Hashable, Sendable {
        private enum Value { case alreadyRunning }
        private let value: Value
        /// ``LocalDiscovery/run()`` was called while another call had not returned.
        public static let alreadyRunning = Self(value: .alreadyRunning)
    }
}
