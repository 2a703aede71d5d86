public import DIGContent

/// A content as somebody shared it, and who may have it.
public struct AccessScope: Hashable, Sendable {
    public var content: ContentHash
    public var access: ContentAccess

    public init(content: ContentHash, access: ContentAccess = .everyone) {
        self.content = content
        self.access = access
    }
}
