import DIGContent

/// What a host tells a client.
enum TransferResponse: Hashable, Sendable {
    case description(ContentDescription)
    /// To be proven against the descriptor before any use.
    case hashes(HashSegment)
    case hashesUnavailable(HashRequestID, UnavailableReason)
    case bitfield(BitfieldPart)
    case have([ChunkRange])
    case chunksUnavailable(ChunkRange, UnavailableReason)
    case listingPart(offset: UInt64, bytes: [UInt8])
    /// To be verified against the descriptor.
    case proof(BlockProof, nonce: [UInt8])
    case proofUnavailable(block: Int, nonce: [UInt8], UnavailableReason)
    /// Encoded signed envelopes, none of them checked. `withheld`: why there may be more for others.
    case resolved(requestID: UInt32, bindings: [[UInt8]], withheld: UnavailableReason? = nil)
}
