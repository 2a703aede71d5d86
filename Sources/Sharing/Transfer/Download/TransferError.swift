/// A content could not be fetched, or not from a peer.
public struct TransferError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Switch on this.
    public var code: Code
    /// For a person: what happened and what to do next; never parsed.
    public var message: String
    /// What went wrong below, if something did.
    public var cause: (any Error)?
    /// Why each peer that was tried could not deliver, if many were.
    public var peers: [PeerFailure]

    public init(_ code: Code, _ message: String, cause: (any Error)? = nil, peers: [PeerFailure] = []) {
        self.code = code
        self.message = message
        self.cause = cause
        self.peers = peers
    }

    public var description: String {
        var text = self.message
        if let cause = self.cause { text += ": \(cause)" }
        for failure in self.peers { text += "\n  \(failure)" }
        return text
    }

    public static func == (lhs: Self, rhs: Self) -> Bool { lhs.code == rhs.code }
    public func hash(into hasher: inout Hasher) { hasher.combine(self.code) }

    /// What a caller can tell apart. There may be more in later versions.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Value {
            case contentMismatch, corruptChunk, corruptHashes, protocolViolation, noHolders, notFound, refused, stalled, disconnected
            case unsupportedLayer, diskFull, notWritable, alreadyExists, unsafePath, inUse, diskFailure, storeFailure, bindingMismatch
            case isFolder, isFile, tooLarge, malformedListing, invalidOption, authenticationRequired, notAuthorized
        }
        private let value: Value
        public var description: String { "\(self.value)" }

        /// What the peer described does not hash to the content hash asked for. The peer lies or is broken: ask another.
        public static let contentMismatch = Self(value: .contentMismatch)
        /// A chunk is not what the tree says. The peer is left out for this transfer: the chunk comes from another.
        public static let corruptChunk = Self(value: .corruptChunk)
        /// Hashes do not lead to the root. The peer is left out for this transfer.
        public static let corruptHashes = Self(value: .corruptHashes)
        /// The peer sent what was not asked for, or a chunk of the wrong length, or bytes that are no frame.
        public static let protocolViolation = Self(value: .protocolViolation)
        /// Nobody who can deliver is connected. Start the holder, or try later: what is verified is kept.
        public static let noHolders = Self(value: .noHolders)
        /// The peer does not hold the content.
        public static let notFound = Self(value: .notFound)
        /// The peer holds it but does not deliver it now; the message has its reason.
        public static let refused = Self(value: .refused)
        /// The peer sent nothing for too long.
        public static let stalled = Self(value: .stalled)
        /// The connection or the stream to the peer ended.
        public static let disconnected = Self(value: .disconnected)
        /// The peer does not serve the chunk size that this download uses.
        public static let unsupportedLayer = Self(value: .unsupportedLayer)
        /// The disk, or the quota, is full. Free some space and start again: what is verified is kept.
        public static let diskFull = Self(value: .diskFull)
        /// The directory does not let us write. Choose another, or change its permissions.
        public static let notWritable = Self(value: .notWritable)
        /// Something else has the file's name. Choose another name, or move it away.
        public static let alreadyExists = Self(value: .alreadyExists)
        /// The path leaves the download directory, or a symbolic link stands in the way.
        public static let unsafePath = Self(value: .unsafePath)
        /// Another download, in this process or another, writes the same file.
        public static let inUse = Self(value: .inUse)
        /// The disk failed in another way; the cause has the system's error.
        public static let diskFailure = Self(value: .diskFailure)
        /// The state of the transfer could not be loaded or saved.
        public static let storeFailure = Self(value: .storeFailure)
        /// The file is whole but has another SHA-256 than demanded. Whoever signed the binding is to blame, not the peers.
        public static let bindingMismatch = Self(value: .bindingMismatch)
        /// The content is a folder: use ``FolderDownload``.
        public static let isFolder = Self(value: .isFolder)
        /// The content is a file: use ``FileDownload``.
        public static let isFile = Self(value: .isFile)
        /// Above what we fetch: 2^20 chunks, or the limit on a listing. If a chunk size was chosen, choose a larger one.
        public static let tooLarge = Self(value: .tooLarge)
        /// The listing hashes to what was asked for, but is no listing. Whoever made it is to blame.
        public static let malformedListing = Self(value: .malformedListing)
        /// An option is outside its range; the message says which and what is allowed.
        public static let invalidOption = Self(value: .invalidOption)
        /// The peer serves only those who prove who they are, and nothing was proven.
        public static let authenticationRequired = Self(value: .authenticationRequired)
        /// The peer knows who asks and does not serve it. The message says what is missing.
        public static let notAuthorized = Self(value: .notAuthorized)
    }
}
