/// Which of the known nodes get the records of which keys of one region.
enum ProvideAssignment {
    /// How much of the key space around a key a lookup has seen whole: every node that shares more bits with the key than the farthest found is
    /// among the found ones.
    ///
    /// - Parameters:
    ///   - found: The closest nodes, the closest first.
    ///   - wanted: How many were looked for. With fewer the whole network is known.
    static func prefixLength(around key: KademliaKey, found: [KademliaPeer], wanted: Int) -> Int {
        guard found.count >= wanted, let farthest = found.last else { return 0 }
        return key.commonPrefixLength(with: farthest.key) + 1
    }

    /// For each node, the positions in `places` of the keys it is one of the `replication` closest to.
    static func assign(_ places: [KademliaKey], to peers: [KademliaPeer], replication: Int) -> [[Int]] {
        var assigned: [[Int]] = Array(repeating: [], count: peers.count)
        for (index, place) in places.enumerated() {
            let closest = peers.indices.map { (distance: peers[$0].key.distance(to: place), peer: $0) }.sorted { $0.distance < $1.distance }
            for candidate in closest.prefix(replication) { assigned[candidate.peer].append(index) }
        }
        return assigned
    }
}
