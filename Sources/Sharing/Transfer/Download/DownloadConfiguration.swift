/// How a download schedules its requests.
public struct DownloadConfiguration: Sendable {
    /// How a peer is chosen for the next chunk.
    public enum Strategy: String, Sendable, CaseIterable {
        /// Whoever has room in its window, the fastest first; the windows follow the measured rates.
        case fastestAvailable = "fastest-available"
    }

    /// How a peer is chosen; there is one way.
    public var strategy: Strategy = .fastestAvailable
    /// Chunks asked for at once, over all peers; below 1 counts as 1. Nil: each peer's window adapts to its rate and round trip.
    public var concurrency: Int?
    /// Chunks asked for at once from one peer; below 1 counts as 1. Nil: all of ``concurrency``, or adaptive without it.
    public var peerConcurrency: Int?
    /// Without a byte from a peer that owes some for so long, its chunks go to others.
    public var requestTimeout: Duration = .seconds(10)
    /// Without a byte for so long, the peer is let go for this transfer. Below ``requestTimeout``, nobody else is asked before that.
    public var peerTimeout: Duration = .seconds(30)
    /// At which stall, of ``requestTimeout`` each, a peer is let go. Below 1 counts as 1.
    public var maximumStallCount = 3
    /// How long to wait when nobody who can deliver is connected. Zero fails at once.
    public var holderTimeout: Duration = .seconds(30)
    /// Requests of the same chunk from different peers, near the end: up to 255. 1 or less switches duplicates off.
    public var maximumRequesterCount = 2

    /// A window leaves room for others on a stream: see `TransferLimits.maximumOutstandingChunkCount`.
    var maximumWindowChunkCount = TransferLimits.maximumOutstandingChunkCount / 2

    public init() {}

    /// The whitepaper's single-source default: five chunks at once.
    public static var singleSource: Self {
        var configuration = Self()
        configuration.concurrency = 5
        return configuration
    }

    /// The whitepaper's multi-source default: ten chunks at once, three from each peer.
    public static var multiSource: Self {
        var configuration = Self()
        configuration.concurrency = 10
        configuration.peerConcurrency = 3
        return configuration
    }
}
