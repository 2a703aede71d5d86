/// Why bytes are no message of circuit relay.
enum CircuitDecodingError: Error, Hashable {
    /// Over ``CircuitRelay/maximumMessageByteCount``.
    case tooLong(Int)
    /// No protobuf, or a field of another kind.
    case malformed
    case missingType
    case unknownType(Int)
    /// A CONNECT without a peer, or with bytes that name none.
    case invalidPeer
    /// A STATUS without one.
    case missingStatus
    /// A reservation without its end.
    case missingExpiration
}
