import DIGContent

extension TransferResponse {
    /// Roughly the bytes it takes in memory and on the wire.
    var approximateByteCount: Int {
        switch self {
        case .hashes(let segment): 64 + segment.hashes.count + segment.uncles.count * SHA256Digest.byteCount
        case .listingPart(_, let bytes): 64 + bytes.count
        case .proof(let proof, _): 64 + proof.bytes.count + proof.uncles.count * SHA256Digest.byteCount
        case .bitfield(.part(_, let bits)): 64 + bits.count
        case .have(let ranges): 64 + ranges.count * 8
        case .resolved(_, let bindings, _): bindings.reduce(64) { $0 + $1.count }
        case .description(let description): description.bindings.reduce(64) { $0 + $1.count }
        case .bitfield(.complete), .hashesUnavailable, .chunksUnavailable, .proofUnavailable: 64
        }
    }
}
