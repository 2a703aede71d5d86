import DIGContent

/// What a client asks of a host. Every field is within ``TransferLimits``; whether it fits the content is for the host to check.
enum TransferRequest: Hashable, Sendable {
    /// Opens the handle. `chunkLayer` nil: the host's choice.
    case describe(ContentHash, chunkLayer: Int?)
    case getHashes(HashRequest)
    case getChunks(ChunkRange)
    case cancel(ChunkRange)
    /// The bitfield now, `Have` from then on.
    case subscribe
    case getListing(offset: UInt64, byteCount: Int)
    /// A block with its path to the root.
    case prove(block: Int, nonce: [UInt8])
    /// Closes the handle.
    case release
    /// Handle 0: which contents are bound to a name?
    case resolve(requestID: UInt32, BindingKey)
}
