/// The node's database could not be opened, read or written.
public struct StorageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Switch on this.
    public var code: Code
    /// For a person: what happened, with the path, and what to do; never parsed.
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
        return "\(self.message) (\(cause))"
    }

    public static func == (lhs: Self, rhs: Self) -> Bool { lhs.code == rhs.code }
    public func hash(into hasher: inout Hasher) { hasher.combine(self.code) }

    /// What went wrong, to be told apart by a program.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Value { case damaged, newerVersion, notWritable, diskFull, busy, malformedRecord, failed }
        private let value: Value
        public var description: String { "\(self.value)" }

        /// The file is no database, or its pages contradict one another. It is left as it is: move it away and share the files again;
        /// what was downloaded is found on disk and verified anew.
        public static let damaged = Self(value: .damaged)
        /// A later version of the software wrote it. Use that one; nothing was changed.
        public static let newerVersion = Self(value: .newerVersion)
        /// The directory or file may not be written. Change its permissions or choose another data directory.
        public static let notWritable = Self(value: .notWritable)
        /// The disk, or the quota, is full. What was stored before is kept.
        public static let diskFull = Self(value: .diskFull)
        /// Another process holds the database for longer than ``NodeDatabase/busyTimeout``. Try again.
        public static let busy = Self(value: .busy)
        /// One record holds what this software never writes. The others can be read.
        public static let malformedRecord = Self(value: .malformedRecord)
        /// Something else; the cause has SQLite's words.
        public static let failed = Self(value: .failed)
    }
}
