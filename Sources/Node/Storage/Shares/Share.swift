public import DIGAnnouncement
public import DIGContent
public import Foundation

/// A file or folder that somebody chose to share.
public struct Share: Hashable, Sendable {
    /// What is shared.
    public enum Kind: String, Hashable, Sendable {
        case file, folder
    }

    public var contentHash: ContentHash
    public var kind: Kind
    /// Absolute.
    public var path: String
    /// What other peers are told.
    public var name: String
    /// The name it can be asked for by, if one was given.
    public var contentID: String?
    /// How eagerly others are told of it. Nil: they are not.
    public var announceLevel: AnnounceLevel?
    /// Bytes of the file, or of all files of the folder.
    public var byteCount: UInt64
    /// To the millisecond.
    public var added: Date

    public init(contentHash: ContentHash, kind: Kind, path: String, name: String, contentID: String? = nil, announceLevel: AnnounceLevel? = .medium, byteCount: UInt64, added: Date) {
        self.contentHash = contentHash
        self.kind = kind
        self.path = path
        self.name = name
        self.contentID = contentID
        self.announceLevel = announceLevel
        self.byteCount = byteCount
        self.added = added
    }
}
