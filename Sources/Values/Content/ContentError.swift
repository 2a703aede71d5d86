/// Something about content could not be parsed, proven, read or hashed.
public struct ContentError: Error, Hashable, Sendable, CustomStringConvertible {
    public var code: Code
    /// For a person: which parameter, path or hash, what was expected and what was found; never parsed.
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

    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Value {
            case malformedHash, wrongHashLength, unsupportedHash
            case fileTooLarge, invalidDescriptor
            case geometryMismatch, proofMismatch
            case malformedListing, listingTooLarge
            case unsafePath
            case malformedLink, invalidParameter
            case fileUnreadable, notARegularFile, fileChanged
        }
        private let value: Value

        /// The text is no hash: a character or the encoding is wrong.
        public static let malformedHash = Self(value: .malformedHash)
        /// The text is a hash with too few or too many characters; most likely it was cut when copied.
        public static let wrongHashLength = Self(value: .wrongHashLength)
        /// A hash of another kind: another multihash function, or a plain SHA-256 where a content hash is needed.
        public static let unsupportedHash = Self(value: .unsupportedHash)
        /// The size is above ``FileDescriptor/maximumSize``.
        public static let fileTooLarge = Self(value: .fileTooLarge)
        /// Size and root cannot belong together, or do not belong to the content hash they came with.
        public static let invalidDescriptor = Self(value: .invalidDescriptor)
        /// Layer, index or count do not fit the tree of the file. The sender of a proof broke the protocol.
        public static let geometryMismatch = Self(value: .geometryMismatch)
        /// The hashes or bytes do not lead to the root. Somebody altered or damaged them.
        public static let proofMismatch = Self(value: .proofMismatch)
        /// The bytes are no canonical folder listing.
        public static let malformedListing = Self(value: .malformedListing)
        /// More entries or bytes than a folder listing may have.
        public static let listingTooLarge = Self(value: .listingTooLarge)
        /// The path or name could leave its folder or harm a terminal or file system.
        public static let unsafePath = Self(value: .unsafePath)
        /// The text is no `dig:` link.
        public static let malformedLink = Self(value: .malformedLink)
        /// One parameter of the link is refused; the message names it and says why.
        public static let invalidParameter = Self(value: .invalidParameter)
        /// The operating system did not let us read the file.
        public static let fileUnreadable = Self(value: .fileUnreadable)
        /// A directory, device, socket or pipe was given where a file is needed.
        public static let notARegularFile = Self(value: .notARegularFile)
        /// The file was written to, truncated or replaced while it was read. Try again when it rests.
        public static let fileChanged = Self(value: .fileChanged)

        public var description: String { "\(self.value)" }
    }
}
