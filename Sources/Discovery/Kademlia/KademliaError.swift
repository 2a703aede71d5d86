/// Something could not be found, stored or asked in the DHT.
public struct KademliaError: Error, Hashable, Sendable, CustomStringConvertible {
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
        private enum Value {
            case alreadyRunning, invalidConfiguration, noPeers, notStored, invalidValue, invalidKey, unexpectedAnswer, limitExceeded, keyUnknown, closed
        }
        private let value: Value
        /// `run()` was called before.
        public static let alreadyRunning = Self(value: .alreadyRunning)
        /// The configuration can't work.
        public static let invalidConfiguration = Self(value: .invalidConfiguration)
        /// No node of the network is known or answers. Bootstrap first.
        public static let noPeers = Self(value: .noPeers)
        /// Nodes were asked, and none has stored it.
        public static let notStored = Self(value: .notStored)
        /// A value that no node would take: of an unknown namespace, too long, not signed by the owner of its key, out of date.
        public static let invalidValue = Self(value: .invalidValue)
        /// Not a key that can be looked up: empty or too long.
        public static let invalidKey = Self(value: .invalidKey)
        /// A node's answer is to another question, or can't be read.
        public static let unexpectedAnswer = Self(value: .unexpectedAnswer)
        /// More is under way, or provided, than the configuration allows.
        public static let limitExceeded = Self(value: .limitExceeded)
        /// The recipient has published no key to seal letters for. It does not read its mailbox, or not in this network.
        public static let keyUnknown = Self(value: .keyUnknown)
        /// The service has ended.
        public static let closed = Self(value: .closed)
    }
}
