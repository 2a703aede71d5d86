/// Who has to go when something bounded is full.
///
/// Whoever has the most loses the oldest of it, so a flood from one network pushes out only itself. Never by when entries expire, which the
/// sender may have chosen.
enum FairEviction {
    /// - Parameters:
    ///   - networks: Of the entries, in the order in which they came.
    ///   - newcomer: Of the entry that wants in.
    /// - Returns: The position of the one to remove.
    static func victim(among networks: [NetworkGroup?], for newcomer: NetworkGroup?) -> Int? {
        guard !networks.isEmpty else { return nil }
        var counts: [NetworkGroup?: Int] = [:]
        for network in networks { counts[network, default: 0] += 1 }
        let own = counts[newcomer, default: 0]
        let largest = counts.values.max() ?? 0
        guard largest > own else { return networks.firstIndex(of: newcomer) }
        return networks.firstIndex { counts[$0] == largest }
    }
}
