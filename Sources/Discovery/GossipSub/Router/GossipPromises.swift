import DIGIdentity
import OrderedCollections

/// Peers that have offered a message and were asked for it (gossipsub v1.1, "Spam Protection Measures"). One message of each offer is followed.
struct GossipPromises: Sendable {
    typealias Instant = ContinuousClock.Instant

    private var promises: OrderedDictionary<GossipMessageID, OrderedDictionary<PeerID, Instant>> = [:]

    var count: Int { self.promises.values.reduce(0) { $0 + $1.count } }

    mutating func add(_ id: GossipMessageID, by peer: PeerID, until end: Instant) {
        if self.promises[id]?[peer] == nil { self.promises[id, default: [:]][peer] = end }
    }

    /// It has come, from whomever.
    mutating func fulfil(_ id: GossipMessageID) { self.promises[id] = nil }

    mutating func forget(_ peer: PeerID) {
        for id in self.promises.keys { self.promises[id]?[peer] = nil }
        self.promises.removeAll { $0.value.isEmpty }
    }

    /// Who has not kept how many, until now.
    mutating func broken(now: Instant) -> OrderedDictionary<PeerID, Int> {
        var broken: OrderedDictionary<PeerID, Int> = [:]
        for (id, peers) in self.promises {
            for (peer, end) in peers where end <= now {
                broken[peer, default: 0] += 1
                self.promises[id]?[peer] = nil
            }
        }
        if !broken.isEmpty { self.promises.removeAll { $0.value.isEmpty } }
        return broken
    }
}
