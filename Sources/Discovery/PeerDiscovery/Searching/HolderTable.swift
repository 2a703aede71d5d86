import DIGIdentity
import DIGMultiformats

/// What all mechanisms together have found in one search, bounded so that none can crowd out another.
struct HolderTable {
    struct Limits: Hashable {
        var holders: Int
        var addresses: Int
    }

    enum Verdict: Hashable {
        /// Not heard of before, by anybody.
        case new
        /// Something is known of it that was not before.
        case changed
        case unchanged
        /// There is no room for it.
        case refused
    }

    private let limits: Limits
    private let ourselves: PeerID
    /// Places that only one mechanism can take.
    private let reserve: Int
    /// Holders that a mechanism was the first to name.
    private var introduced: [DiscoverySource: Int]
    private var holders: [PeerID: DiscoveredHolder] = [:]

    /// Holders of which somebody says that they have the content.
    private(set) var claimedCount = 0

    init(limits: Limits, sources: [DiscoverySource], ourselves: PeerID) {
        self.limits = limits
        self.ourselves = ourselves
        self.reserve = limits.holders / (2 * max(1, sources.count))
        self.introduced = Dictionary(sources.map { ($0, 0) }, uniquingKeysWith: { first, _ in first })
    }

    var count: Int { self.holders.count }
    subscript(peer: PeerID) -> DiscoveredHolder? { self.holders[peer] }

    /// - Parameter elapsed: Since the search began.
    mutating func add(_ found: FoundHolder, from source: DiscoverySource, after elapsed: Duration) -> Verdict {
        guard found.peer != self.ourselves else { return .unchanged }
        var holder: DiscoveredHolder
        let isNew: Bool
        if let known = self.holders[found.peer] {
            holder = known
            isNew = false
        } else {
            guard self.hasRoom(for: source) else { return .refused }
            self.introduced[source, default: 0] += 1
            holder = DiscoveredHolder(peer: found.peer, knownAddresses: [], sources: [], isClaimed: false, firstSeen: elapsed)
            isNew = true
        }
        var isChanged = isNew
        if !holder.sources.contains(source) {
            holder.sources.append(source)
            isChanged = true
        }
        if found.isClaimed, !holder.isClaimed {
            holder.isClaimed = true
            self.claimedCount += 1
            isChanged = true
        }
        // More than fit are not even looked at.
        for address in found.addresses.prefix(self.limits.addresses) {
            if let named = address.peerID, named != found.peer { continue }
            if self.add(address.removingPeerID(), isSigned: found.isSigned, from: source, to: &holder.knownAddresses) { isChanged = true }
        }
        guard isChanged else { return .unchanged }
        self.holders[found.peer] = holder
        return isNew ? .new : .changed
    }

    private func hasRoom(for source: DiscoverySource) -> Bool {
        // What is kept free for the others.
        let kept = self.introduced.reduce(0) { $1.key == source ? $0 : $0 + max(0, self.reserve - $1.value) }
        return self.holders.count + kept < self.limits.holders
    }

    /// - Returns: Whether that changes anything.
    private func add(
        _ address: Multiaddr, isSigned: Bool, from source: DiscoverySource, to addresses: inout [DiscoveredHolder.Address]
    ) -> Bool {
        guard !address.components.isEmpty else { return false }
        if let index = addresses.firstIndex(where: { $0.address == address }) {
            var known = addresses[index]
            if !known.sources.contains(source) { known.sources.append(source) }
            known.isSigned = known.isSigned || isSigned
            guard known != addresses[index] else { return false }
            if known.isSigned == addresses[index].isSigned {
                addresses[index] = known
            } else {
                addresses.remove(at: index)
                Self.insert(known, into: &addresses)
            }
            return true
        }
        if addresses.count >= self.limits.addresses {
            guard let victim = Self.victim(among: addresses, for: source, isSigned: isSigned) else { return false }
            addresses.remove(at: victim)
        }
        Self.insert(.init(address, sources: [source], isSigned: isSigned), into: &addresses)
        return true
    }

    /// What gives way: hearsay to what is signed, and otherwise the last of whoever has at least two more than `source`.
    private static func victim(among addresses: [DiscoveredHolder.Address], for source: DiscoverySource, isSigned: Bool) -> Int? {
        if isSigned, let index = addresses.lastIndex(where: { !$0.isSigned }) { return index }
        var counts: [DiscoverySource: Int] = [:]
        for address in addresses where address.isSigned == isSigned { counts[address.sources[0], default: 0] += 1 }
        let own = counts[source] ?? 0
        guard let (greediest, count) = counts.max(by: { ($0.value, $0.key) < ($1.value, $1.key) }), count > own + 1 else { return nil }
        return addresses.lastIndex { $0.isSigned == isSigned && $0.sources[0] == greediest }
    }

    /// At the end of the signed or the others.
    private static func insert(_ address: DiscoveredHolder.Address, into addresses: inout [DiscoveredHolder.Address]) {
        let index = address.isSigned ? addresses.firstIndex { !$0.isSigned } ?? addresses.endIndex : addresses.endIndex
        addresses.insert(address, at: index)
    }
}
