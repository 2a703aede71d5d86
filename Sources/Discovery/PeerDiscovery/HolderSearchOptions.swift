/// What a search looks at, and when it ends.
public struct HolderSearchOptions: Hashable, Sendable {
    /// When a search ends.
    public enum End: Hashable, Sendable {
        /// When every mechanism has said what it knows, and those that listen have listened for ``DiscoveryConfiguration/listeningTime``.
        case answered
        /// Not by itself: mechanisms that have answered are asked again from time to time, until the reader stops.
        case cancelled
    }

    public var until: End = .answered
    /// Only these; nil: every mechanism of the manager.
    public var sources: Set<DiscoverySource>?
    /// Holders, of which somebody says that they have the content, after which the search ends; nil: all there are, up to
    /// ``DiscoveryConfiguration/maximumHoldersPerSearch``.
    public var limit: Int?

    public init(until: End = .answered, sources: Set<DiscoverySource>? = nil, limit: Int? = nil) {
        self.until = until
        self.sources = sources
        self.limit = limit
    }
}
