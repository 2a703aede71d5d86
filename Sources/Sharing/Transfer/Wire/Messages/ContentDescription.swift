import DIGContent

/// The answer to `describe`.
struct ContentDescription: Hashable, Sendable {
    enum Content: Hashable, Sendable {
        /// `chunkLayer`: the layer of this handle's chunks.
        case file(size: UInt64, root: SHA256Digest, chunkLayer: Int)
        /// The length of the encoded listing.
        case folder(byteCount: UInt64)
        case notFound
        case refused(UnavailableReason)
    }

    var content: Content
    /// The host's name for it; a hint that must be sanitized.
    var name: String?
    /// Encoded signed envelopes, none of them checked.
    var bindings: [[UInt8]]
    /// Not on the wire: what came of the attempt to change the peer's mind.
    var refusal: TransferError?

    init(_ content: Content, name: String? = nil, bindings: [[UInt8]] = []) {
        self.content = content
        self.name = name
        self.bindings = bindings
    }
}
