public import DIGAnnouncement
public import DIGContent
public import DIGMultiformats

/// Something that is shared.
public struct SharedContent: Hashable, Sendable {
    /// What was shared.
    public enum Kind: String, Hashable, Sendable {
        case file, folder
    }

    /// What receivers verify every byte against.
    public var contentHash: ContentHash
    /// Whether it is a file or a folder.
    public var kind: Kind
    /// Where it is on this machine, absolute.
    public var path: String
    /// What receivers call it unless they choose otherwise.
    public var name: String
    /// The name it can be asked for by, if one was given.
    public var contentID: String?
    /// How eagerly others are told of it. Nil: they are not, since it was shared where ``NodeDiscoveryConfiguration/announces`` was false.
    public var announceLevel: AnnounceLevel?
    /// It, or a file of it, has changed or is gone: that is not served until it is added again.
    public var isChanged = false
    /// Bytes of the file, or of all files of the folder.
    public var byteCount: UInt64
    /// How many files; 1 for a file.
    public var fileCount: Int
    /// The root of the file's hash tree; nil for a folder.
    public var root: SHA256Digest?
    /// What `sha256sum` prints for the file, once it is known; nil for a folder.
    public var sha256: SHA256Digest?

    /// The link that others fetch it with.
    ///
    /// - Parameter addresses: Where this node can be reached, with its peer id. At most ``ShareLink/maximumPeerCount`` are kept.
    /// - Throws: `ContentError` with `.invalidParameter` if the name can't be put into a link.
    public func link(addresses: [Multiaddr]) throws(ContentError) -> ShareLink {
        try ShareLink(
            contentHash: self.contentHash, kind: self.kind == .folder ? .folder : .file, size: self.byteCount, root: self.root,
            name: FileNameSanitizer.sanitized(self.name), sha256: self.sha256, peers: Array(addresses.prefix(ShareLink.maximumPeerCount)))
    }
}
