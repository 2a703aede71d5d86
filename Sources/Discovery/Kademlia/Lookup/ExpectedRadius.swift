/// How far from a key its k closest nodes should be, given how dense the neighbourhood of this node is.
///
/// Names are free: whoever makes some that are closer to a key than any other node's gets all its records. Then the closest nodes are much
/// closer than they should be, so everyone within the radius is asked and given records, and those who belong there are among them
/// (the region-based queries of arXiv 2307.12212).
enum ExpectedRadius {
    /// - Parameter neighbours: The nodes closest to this one, the closest first.
    /// - Returns: Nil with fewer than k of them: then the whole network is known anyway.
    static func radius(around localKey: KademliaKey, neighbours: [KademliaPeer], replication: Int) -> KademliaDistance? {
        guard neighbours.count >= max(1, replication) else { return nil }
        // The i-th of n nodes is i/n of the key space away. The median, because some of the neighbours may be made up too.
        let sizes = neighbours.enumerated().map { index, peer in
            Double(index + 1) / ((Double(peer.key.distance(to: localKey).value.word0) + 1) * 0x1p-64)
        }.sorted()
        let share = Double(replication) / sizes[sizes.count / 2]
        guard share < 0.99 else { return KademliaDistance(value: KademliaKey(.max, .max, .max, .max)) }
        return KademliaDistance(value: KademliaKey(UInt64(share * 0x1p64), .max, .max, .max))
    }
}
