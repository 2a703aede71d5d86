/// The nodes that this one knows: many close to it, few far away (Kademlia, §2.2 and §2.4).
///
/// Bucket *i* holds nodes that share exactly *i* leading bits with this one. A node that answers stays: who is old will be there longer, and
/// an attacker can't push it out. Nodes that come to a full bucket wait in its replacement cache until one of the others fails.
struct RoutingTable: Sendable {
    typealias Instant = ContinuousClock.Instant

    struct Entry: Sendable {
        var peer: KademliaPeer
        var network: NetworkGroup?
        var lastSeen: Instant
        var failures = 0
        /// It is being asked whether it is still there.
        var isProbed = false
    }

    private struct Bucket: Sendable {
        var entries: [Entry] = []
        /// The newest last.
        var replacements: [Entry] = []
        var lastRefresh: Instant
    }

    enum Refusal: Hashable, Sendable {
        /// It is this node.
        case isLocal
        /// Too many of its network are here already.
        case diversity
    }

    enum Insertion: Hashable, Sendable {
        case added
        case updated
        /// In the place of one that did not answer.
        case replaced(KademliaKey)
        /// The bucket is full. Ask `probe`, if any, whether it is still there, and say how that went.
        case waits(probe: KademliaPeer?)
        case refused(Refusal)
    }

    let localKey: KademliaKey
    private let configuration: RoutingTableConfiguration
    private var buckets: [Bucket] = []
    private var networks: [NetworkGroup: Int] = [:]
    private(set) var count = 0

    init(localKey: KademliaKey, configuration: RoutingTableConfiguration = .init()) {
        self.localKey = localKey
        self.configuration = configuration
    }

    // MARK: Changes

    /// A node has answered.
    ///
    /// - Parameter network: From where, if it is on the internet.
    mutating func insert(_ peer: KademliaPeer, network: NetworkGroup?, now: Instant) -> Insertion {
        let index = self.localKey.commonPrefixLength(with: peer.key)
        guard index < KademliaKey.bitCount else { return .refused(.isLocal) }
        while self.buckets.count <= index { self.buckets.append(Bucket(lastRefresh: now)) }
        if let position = self.buckets[index].entries.firstIndex(where: { $0.peer.key == peer.key }) {
            let old = self.buckets[index].entries[position]
            if old.network != network, !self.isDiverse(network, in: index, without: old) { return .refused(.diversity) }
            self.count(old.network, by: -1)
            self.count(network, by: 1)
            self.buckets[index].entries[position] = Entry(
                peer: peer.addresses.isEmpty ? old.peer : peer, network: network, lastSeen: now)
            return .updated
        }
        let entry = Entry(peer: peer, network: network, lastSeen: now)
        if self.buckets[index].entries.count < self.configuration.bucketSize {
            guard self.isDiverse(network, in: index) else { return .refused(.diversity) }
            self.append(entry, to: index)
            return .added
        }
        if let worst = self.buckets[index].entries.indices.filter({ self.buckets[index].entries[$0].failures > 0 })
            .max(by: { self.buckets[index].entries[$0].failures < self.buckets[index].entries[$1].failures })
        {
            let old = self.buckets[index].entries[worst]
            guard self.isDiverse(network, in: index, without: old) else { return .refused(.diversity) }
            self.removeEntry(at: worst, of: index)
            self.append(entry, to: index)
            return .replaced(old.peer.key)
        }
        guard self.isDiverse(network, in: index) else { return .refused(.diversity) }
        self.buckets[index].replacements.removeAll { $0.peer.key == peer.key }
        self.buckets[index].replacements.append(entry)
        let excess = self.buckets[index].replacements.count - self.configuration.replacementCount
        if excess > 0 { self.buckets[index].replacements.removeFirst(excess) }
        return .waits(probe: self.oldest(in: index, now: now))
    }

    /// A node has answered a question.
    mutating func succeeded(_ key: KademliaKey, now: Instant) {
        self.update(key) { entry in
            entry.lastSeen = now
            entry.failures = 0
            entry.isProbed = false
        }
    }

    /// A node has not answered. Those that wait take its place; without any it stays for a while, because the fault may be on this side.
    mutating func failed(_ key: KademliaKey, now: Instant) {
        let index = self.localKey.commonPrefixLength(with: key)
        guard index < self.buckets.count else { return }
        self.buckets[index].replacements.removeAll { $0.peer.key == key }
        guard let position = self.buckets[index].entries.firstIndex(where: { $0.peer.key == key }) else { return }
        self.buckets[index].entries[position].failures += 1
        self.buckets[index].entries[position].isProbed = false
        let old = self.buckets[index].entries[position]
        if let next = self.buckets[index].replacements.lastIndex(where: { self.isDiverse($0.network, in: index, without: old) }) {
            let replacement = self.buckets[index].replacements.remove(at: next)
            self.removeEntry(at: position, of: index)
            self.append(replacement, to: index)
        } else if old.failures >= self.configuration.maximumFailures {
            self.removeEntry(at: position, of: index)
        }
    }

    /// A node does not serve the DHT any more.
    mutating func remove(_ key: KademliaKey) {
        let index = self.localKey.commonPrefixLength(with: key)
        guard index < self.buckets.count else { return }
        self.buckets[index].replacements.removeAll { $0.peer.key == key }
        if let position = self.buckets[index].entries.firstIndex(where: { $0.peer.key == key }) { self.removeEntry(at: position, of: index) }
    }

    private mutating func update(_ key: KademliaKey, _ body: (inout Entry) -> Void) {
        let index = self.localKey.commonPrefixLength(with: key)
        guard index < self.buckets.count, let position = self.buckets[index].entries.firstIndex(where: { $0.peer.key == key }) else { return }
        body(&self.buckets[index].entries[position])
    }

    private mutating func append(_ entry: Entry, to index: Int) {
        self.buckets[index].entries.append(entry)
        self.count(entry.network, by: 1)
        self.count += 1
    }

    private mutating func removeEntry(at position: Int, of index: Int) {
        let old = self.buckets[index].entries.remove(at: position)
        self.count(old.network, by: -1)
        self.count -= 1
    }

    private mutating func count(_ network: NetworkGroup?, by change: Int) {
        guard let network else { return }
        let count = self.networks[network, default: 0] + change
        self.networks[network] = count > 0 ? count : nil
    }

    private func isDiverse(_ network: NetworkGroup?, in index: Int, without leaving: Entry? = nil) -> Bool {
        guard let network else { return true }
        let less = leaving?.network == network ? 1 : 0
        guard self.networks[network, default: 0] - less < self.configuration.maximumPerNetwork else { return false }
        return self.buckets[index].entries.count(where: { $0.network == network }) - less < self.configuration.maximumPerNetworkInBucket
    }

    // MARK: Upkeep

    private mutating func oldest(in index: Int, now: Instant) -> KademliaPeer? {
        let entries = self.buckets[index].entries
        guard let position = entries.indices.min(by: { entries[$0].lastSeen < entries[$1].lastSeen }), !entries[position].isProbed,
            now - entries[position].lastSeen >= self.configuration.livenessInterval
        else { return nil }
        self.buckets[index].entries[position].isProbed = true
        return entries[position].peer
    }

    /// Nodes that have to be asked whether they are still there. Each is named once, until the answer is told.
    mutating func probesDue(now: Instant, limit: Int) -> [KademliaPeer] {
        var due: [KademliaPeer] = []
        for index in self.buckets.indices {
            for position in self.buckets[index].entries.indices {
                guard due.count < limit else { return due }
                let entry = self.buckets[index].entries[position]
                guard !entry.isProbed, now - entry.lastSeen >= self.configuration.livenessInterval else { continue }
                self.buckets[index].entries[position].isProbed = true
                due.append(entry.peer)
            }
        }
        return due
    }

    /// Lengths of prefixes under which something should be looked up. Each is named once an interval.
    mutating func refreshesDue(now: Instant) -> [Int] {
        self.buckets.indices.prefix(self.configuration.maximumRefreshPrefixLength + 1).filter { index in
            guard now - self.buckets[index].lastRefresh >= self.configuration.refreshInterval else { return false }
            self.buckets[index].lastRefresh = now
            return true
        }
    }

    /// Something was looked up that shares `prefixLength` bits with this node.
    mutating func refreshed(_ prefixLength: Int, now: Instant) {
        guard self.buckets.indices.contains(prefixLength) else { return }
        self.buckets[prefixLength].lastRefresh = now
    }

    // MARK: What is known

    /// The nodes closest to `target`, those that failed last left out unless there are no others.
    ///
    /// Nodes of the target's own bucket are closer to it than this one is; then come those that are closer to this one, all at a distance that
    /// differs below the bit in which this node and the target differ; then the other buckets, one after the other.
    func closest(to target: KademliaKey, count: Int, excluding excluded: KademliaKey? = nil) -> [KademliaPeer] {
        var found: [KademliaPeer] = []
        let pivot = min(self.localKey.commonPrefixLength(with: target), self.buckets.count)
        func take(_ indices: some Sequence<Int>) {
            guard found.count < count else { return }
            var candidates: [(distance: KademliaDistance, peer: KademliaPeer)] = []
            for index in indices {
                for entry in self.buckets[index].entries where entry.failures == 0 && entry.peer.key != excluded {
                    candidates.append((entry.peer.key.distance(to: target), entry.peer))
                }
            }
            candidates.sort { $0.distance < $1.distance }
            for candidate in candidates.prefix(count - found.count) { found.append(candidate.peer) }
        }
        if pivot < self.buckets.count { take(CollectionOfOne(pivot)) }
        if pivot + 1 < self.buckets.count { take((pivot + 1)..<self.buckets.count) }
        var index = pivot - 1
        while index >= 0, found.count < count {
            take(CollectionOfOne(index))
            index -= 1
        }
        return found.isEmpty ? self.failing(count: count, excluding: excluded) : found
    }

    private func failing(count: Int, excluding excluded: KademliaKey?) -> [KademliaPeer] {
        Array(self.buckets.lazy.flatMap(\.entries).map(\.peer).filter { $0.key != excluded }.prefix(count))
    }

    func entry(_ key: KademliaKey) -> Entry? {
        let index = self.localKey.commonPrefixLength(with: key)
        guard index < self.buckets.count else { return nil }
        return self.buckets[index].entries.first { $0.peer.key == key }
    }

    /// By bucket, from the farthest.
    var entries: [[Entry]] { self.buckets.map(\.entries) }
    var waitingCount: Int { self.buckets.reduce(0) { $0 + $1.replacements.count } }
}
