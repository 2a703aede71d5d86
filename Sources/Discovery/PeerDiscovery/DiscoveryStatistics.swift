/// What each mechanism has been good for since the manager was made.
public struct DiscoveryStatistics: Hashable, Sendable {
    /// What one mechanism has done.
    public struct Mechanism: Hashable, Sendable {
        /// Questions for holders that have ended.
        public var searches: UInt64 = 0
        /// Of these, with at least one holder.
        public var fruitfulSearches: UInt64 = 0
        public var failedSearches: UInt64 = 0
        public var timedOutSearches: UInt64 = 0
        /// Given up because of too many answers.
        public var floodedSearches: UInt64 = 0
        /// Holders named, each once in a search.
        public var holdersFound: UInt64 = 0
        /// From the question to the first holder, in the last search that found one.
        public var lastTimeToFirst: Duration?
        /// The mean over all searches that found one.
        public var meanTimeToFirst: Duration? { self.fruitfulSearches == 0 ? nil : self.totalTimeToFirst / Double(self.fruitfulSearches) }
        /// Announcements that somebody took.
        public var announcements: UInt64 = 0
        /// Announcements that nobody took.
        public var failedAnnouncements: UInt64 = 0
        public var withdrawals: UInt64 = 0
        public var failedWithdrawals: UInt64 = 0
        /// Announcements and withdrawals that were given up and have not returned.
        public var unreturnedOperations = 0

        var totalTimeToFirst: Duration = .zero

        public init() {}
    }

    public var mechanisms: [DiscoverySource: Mechanism] = [:]
    /// Under way.
    public var searchCount = 0
    /// Contents that are announced.
    public var announcedCount = 0

    public init() {}
}
