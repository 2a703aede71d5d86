public import DIGAnnouncement

/// What a node lets others find.
public struct AnnouncedContent: Hashable, Sendable {
    /// The content, or a name whose binding this node knows.
    public var key: RendezvousKey
    /// Where this node listens, for those who look at nothing else.
    public var port: UInt16?
    /// The content's name. At most 256 bytes are announced.
    public var contentID: String?
    /// How eagerly it is kept known.
    public var level: AnnounceLevel

    public init(_ key: RendezvousKey, port: UInt16? = nil, contentID: String? = nil, level: AnnounceLevel = .medium) {
        self.key = key
        self.port = port
        self.contentID = contentID
        self.level = level
    }
}
