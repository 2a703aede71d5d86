import DIGContent

/// What a host tells a client.
enum TransferResponse: Hashable, Sendable {
    case description(ContentDescription)
    case hashes(HashAnswer)
    case hashesUnavailable(HashRequestID, UnavailableReason)
    case bitfield(BitfieldPart)
    case have([ChunkRange])
    case chunksUnavailable(ChunkRange, UnavailableReason)
    case listingPart(offset: UInt64, bytes: [UInt8])
    case proof(block: UInt64, nonce: [UInt8], ProofAnswer)
    /// Encoded signed envelopes, none of them checked.
    case resolved(requestID: UInt32, bindings: [[UInt8]])
}
