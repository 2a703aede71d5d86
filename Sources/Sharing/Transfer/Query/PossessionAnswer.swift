/// What a peer has shown when it was asked for a block of a content.
public enum PossessionAnswer: Hashable, Sendable {
    /// Why a peer that answered does not have it.
    public enum Lack: Hashable, Sendable {
        /// It says so, at once or when it came to the block.
        case notHeld
        /// Its file is not the one any more that was hashed.
        case changed
        /// It cannot read its file.
        case unreadable
        /// It gave something else.
        case wrongBytes
    }

    /// The block came, and is right.
    case proven
    /// It does not have it, or not any more.
    case lacks(Lack)
    /// It did not answer the question, for a reason that says nothing of what it has.
    case refused(UnavailableReason)
}
