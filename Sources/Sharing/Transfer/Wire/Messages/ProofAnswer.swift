import DIGContent

/// The answer to `prove`.
enum ProofAnswer: Hashable, Sendable {
    case block(data: [UInt8], uncles: [SHA256Digest])
    case unavailable(UnavailableReason)
}
