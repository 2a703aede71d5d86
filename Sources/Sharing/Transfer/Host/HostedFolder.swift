public import DIGContent
public import DIGIdentity

/// The listing of a folder. Its files are contents of their own.
public struct HostedFolder: Sendable {
    /// The SHA-256 of the listing.
    public var contentHash: ContentHash
    /// The encoded ``FolderListing``.
    public var listing: [UInt8]
    /// What clients are told; a hint.
    public var name: String?
    /// Signed names of the content, sent with its description.
    public var bindings: [SignedEnvelope]

    public init(contentHash: ContentHash, listing: [UInt8], name: String? = nil, bindings: [SignedEnvelope] = []) {
        self.contentHash = contentHash
        self.listing = listing
        self.name = name
        self.bindings = bindings
    }
}
