public import DIGContent
public import DIGIdentity

/// What a host can serve. The node's registry of shared files conforms, downloads in progress included.
public protocol ContentProvider: Sendable {
    /// The content called `hash`, nil if there is none.
    func content(for hash: ContentHash) async throws -> HostedContent?

    /// Signed records that bind `key` to contents.
    func bindings(for key: BindingKey) async -> [SignedEnvelope]

    /// The file is not the one that was hashed any more, or is gone. It is refused until it is hashed again.
    func contentChanged(_ hash: ContentHash) async
}
