/// Something could not be done with GUN.
public struct GunError: Error, Hashable, Sendable, CustomStringConvertible {
    public var code: Code
    /// For a person; never parsed.
    public var message: String
    public var cause: (any Error)?

    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    public var description: String { self.cause.map { "\(self.message): \($0)" } ?? self.message }

    public static func == (lhs: Self, rhs: Self) -> Bool { lhs.code == rhs.code }
    public func hash(into hasher: inout Hasher) { hasher.combine(self.code) }

    /// What went wrong, to be told apart by a program.
    public struct Code: Hashable, Sendable {
        private enum Value { case alreadyRunning, invalidURL, invalidConfiguration, refused, timedOut, forbiddenAddress, tooLong, unknownRecipient }
        private let value: Value
        /// `run()` was called while another call had not returned.
        public static let alreadyRunning = Self(value: .alreadyRunning)
        /// No URL of a GUN peer.
        public static let invalidURL = Self(value: .invalidURL)
        /// A certificate or an address that can't be used.
        public static let invalidConfiguration = Self(value: .invalidConfiguration)
        /// Who answers does not speak WebSocket at that path.
        public static let refused = Self(value: .refused)
        /// No WebSocket in time.
        public static let timedOut = Self(value: .timedOut)
        /// A stranger named an address that is not on the public internet.
        public static let forbiddenAddress = Self(value: .forbiddenAddress)
        /// Larger than what peers take.
        public static let tooLong = Self(value: .tooLong)
        /// The peer has published no key to seal messages for, or nobody who knows it answers.
        public static let unknownRecipient = Self(value: .unknownRecipient)
    }
}
