/// What a mechanism has done for one search, for the statistics.
struct SearchRecord: Hashable {
    var source: DiscoverySource
    var outcome: DiscoveryOutcome
    var found: Int
    var timeToFirst: Duration?
}
