/// Proven bytes that lie on disk.
struct VerifiedPiece: Sendable {
    enum Source: Sendable {
        case part(PartFile)
        case path(String)
    }

    static let maximumByteCount = 256 * 1024

    let source: Source
    /// At most ``maximumByteCount``.
    let range: Range<UInt64>
}
