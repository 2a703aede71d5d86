/// How long and how much ``PeerDiscoveryManager`` searches and announces.
public struct DiscoveryConfiguration: Hashable, Sendable {
    // MARK: Searching

    /// A mechanism that has not said all it knows by then is given up. Those of this software end by themselves: GUN and peer exchange within
    /// seconds, a lookup in the DHT within a minute.
    public var searchTimeout: Duration = .seconds(60)
    /// How long mechanisms that never end by themselves are listened to if all others have answered before. In the local network an answer takes
    /// 20 to 120 ms (RFC 6762 §6).
    public var listeningTime: Duration = .seconds(2)
    /// In a search that goes on until it is cancelled: how long after its answer a mechanism is asked again. Twice as long each time, up to
    /// ``maximumSearchInterval``.
    public var searchInterval: Duration = .seconds(15)
    public var maximumSearchInterval: Duration = .seconds(300)
    /// The same for one that could not search, because nobody is connected yet, for example: twice as long each time, up to ``searchInterval``.
    public var searchRetryInterval: Duration = .seconds(1)
    /// Of one search. Each mechanism has a part of it that no other can take.
    public var maximumHoldersPerSearch = 1_000
    /// Of one holder. When there are more, those the holder has signed stay, and no mechanism crowds out another's.
    public var maximumAddressesPerHolder = 16
    /// What one mechanism may say in one search, also of holders known already; then it is given up. The allowance grows again by
    /// ``resultsPerSecond``.
    public var maximumResultsPerSearch = 4_000
    public var resultsPerSecond: Double = 20
    /// At a time; more fail at once.
    public var maximumSearches = 256

    // MARK: Announcing

    /// The longest time between two announcements of the same content. Each comes between 4/5 and 19/20 of it, by chance, so that a record which is
    /// believed for an hour outlives the loss of one, and those of many files do not come all at once.
    public var reannounceInterval: Duration = .seconds(1_800)
    /// Where nobody took it: how long until the next attempt, ±20 %. Twice as long each time, up to ``maximumRetryInterval``.
    public var retryInterval: Duration = .seconds(15)
    public var maximumRetryInterval: Duration = .seconds(300)
    /// An announcement, or withdrawal, that takes longer is given up.
    public var announcementTimeout: Duration = .seconds(60)
    /// How long others may believe an announcement: so long a withdrawal that nobody could be told is tried again.
    public var announcementLifetime: Duration = .seconds(3_600)
    /// Contents; more are refused. Each costs about half a kilobyte.
    public var maximumAnnouncements = 100_000
    /// Announcements of one mechanism under way at a time.
    public var announcementParallelism = 8
    /// Announcements of one mechanism that are made again, a second. Not for those that somebody waits for.
    public var announcementRate: Double = 50
    /// Given up and still not returned: with so many of them, a mechanism is not asked to announce anything more.
    public var maximumUnreturnedOperations = 16

    public init() {}
}
