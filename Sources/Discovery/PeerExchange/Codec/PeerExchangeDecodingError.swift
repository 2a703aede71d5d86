/// Why bytes are no message of the protocol.
enum PeerExchangeDecodingError: Error, Hashable, Sendable {
    case malformed
    /// A list with more than it may have.
    case tooMany(Int)
    /// An envelope, name or key of the wrong length.
    case wrongLength(Int)
    case unknownStatus(Int)
}
