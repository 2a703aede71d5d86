/// The nodes that this peer knows, within bounds. A value: it opens nothing and asks no clock.
struct GunGraph {
    /// What became of one write.
    enum Outcome: Hashable {
        case taken
        /// Older, or the same: nothing changed.
        case unchanged
        /// Kept until its time; others may be told.
        case deferred
        /// Kept until its time, too far ahead to be passed on.
        case quarantined
        /// Refused by a guard.
        case forged
        /// No room in this node, or a state beyond every horizon.
        case refused
    }

    struct Change: Hashable {
        var soul: ExactText
        var keys: [ExactText]
    }

    /// Whose a node is, which decides what is forgotten first.
    private enum Tenure { case stranger, signed, own }

    private struct Node {
        var entries: [ExactText: GunEntry] = [:]
        var byteCount: Int
        var tenure: Tenure
    }

    private static let nodeCost = 256
    private static let entryCost = 96

    let limits: GunGraphLimits
    let guards: [GunGuard]
    private var nodes: [ExactText: Node] = [:]
    private var strangers = RecencyList()
    private var signed = RecencyList()
    private var deferred: DeferredWrites
    private(set) var byteCount = 0
    private(set) var statistics = GunGraphStatistics()
    /// Souls changed since ``takeChangedSouls()``; a soul that is gone is to be removed from the store.
    private var dirty: Set<ExactText> = []

    init(limits: GunGraphLimits = .init(), guards: [GunGuard] = []) {
        self.limits = limits
        self.guards = guards
        self.deferred = DeferredWrites(maximumCount: limits.deferredCount, maximumByteCount: limits.deferredByteCount)
    }

    var nodeCount: Int { self.nodes.count }
    var deferredCount: Int { self.deferred.count }
    /// When the next write that was kept back is due, in milliseconds since 1970.
    var nextState: Double? { self.deferred.nextState }

    func isGuarded(_ soul: ExactText) -> Bool { self.guards.contains { soul.hasPrefix($0.prefix) } }

    // MARK: Reading

    func node(_ soul: ExactText) -> GunNode? { self.nodes[soul].map { GunNode(soul, $0.entries) } }

    func entry(_ soul: ExactText, _ key: ExactText) -> GunEntry? { self.nodes[soul]?.entries[key] }

    func isOwn(_ soul: ExactText) -> Bool { self.nodes[soul]?.tenure == .own }

    var ownSouls: [ExactText] { self.nodes.filter { $0.value.tenure == .own }.map(\.key) }

    mutating func touch(_ soul: ExactText) {
        switch self.nodes[soul]?.tenure {
        case .stranger: self.strangers.touch(soul)
        case .signed: self.signed.touch(soul)
        case .own, nil: break
        }
    }

    /// What answers `query`; empty if nothing does. At most `byteLimit` bytes of nodes are looked at for a pattern of souls.
    mutating func answer(_ query: GunQuery) -> [GunNode] {
        switch query.soul {
        case .exactly(let soul):
            guard let node = self.nodes[soul] else { return [] }
            self.touch(soul)
            switch query.key {
            case nil: return node.entries.isEmpty ? [] : [GunNode(soul, node.entries)]
            case .exactly(let key)?:
                guard let entry = node.entries[key] else { return [] }
                return [GunNode(soul, [key: entry])]
            case .lex(let lex)?:
                var cost = 0.0
                let entries = self.select(lex, query, node.entries, &cost)
                return entries.isEmpty ? [] : [GunNode(soul, entries)]
            }
        case .lex(let lex):
            var found: [GunNode] = []
            var cost = 0.0
            var souls = self.nodes.keys.filter { lex.matches($0) }.sorted()
            if lex.isReversed || query.isReversed { souls.reverse() }
            for soul in souls {
                // As gun.js: a pattern for souls leaves one for keys out of account.
                let all = GunLex(isReversed: lex.isReversed)
                let entries = self.select(all, query, self.nodes[soul]?.entries ?? [:], &cost)
                if !entries.isEmpty { found.append(GunNode(soul, entries)) }
                if lex.exact == nil, cost >= self.limit(query) { break }
            }
            return found
        }
    }

    /// gun.js answers up to 100,000 characters, or one match when nothing or more is asked for.
    private func limit(_ query: GunQuery) -> Double {
        guard let limit = query.limit, limit <= 100_000 else { return 1 }
        return limit
    }

    private func select(
        _ lex: GunLex, _ query: GunQuery, _ entries: [ExactText: GunEntry], _ cost: inout Double
    ) -> [ExactText: GunEntry] {
        var keys = entries.keys.filter { lex.matches($0) }.sorted()
        if lex.isReversed || query.isReversed { keys.reverse() }
        var selected: [ExactText: GunEntry] = [:]
        for key in keys {
            guard let entry = entries[key] else { continue }
            selected[key] = entry
            cost += Double(entry.value.queryCost)
            if cost >= self.limit(query) { break }
        }
        return selected
    }

    // MARK: Writing

    /// Decides one write of a peer.
    ///
    /// - Parameters:
    ///   - now: Milliseconds since 1970.
    ///   - isOwn: Of this node itself: never forgotten, and never refused for want of room in the node.
    mutating func write(_ entry: GunEntry, to key: ExactText, of soul: ExactText, now: Double, isOwn: Bool = false) -> Outcome {
        let outcome = self.decide(entry, key, soul, now, isOwn)
        self.statistics.count(outcome)
        return outcome
    }

    private mutating func decide(_ entry: GunEntry, _ key: ExactText, _ soul: ExactText, _ now: Double, _ isOwn: Bool) -> Outcome {
        guard entry.state.isFinite else { return .refused }
        let known = self.nodes[soul]?.entries[key]
        let guarded = self.guards.first { soul.hasPrefix($0.prefix) }
        switch HAM.decide(entry, known: known, now: now) {
        case .historical, .converged:
            // Not asked whether it is forged: it changes nothing. But it is not passed on either, see `GunMesh`.
            return .unchanged
        case .taken:
            if let guarded, !guarded.admits(soul, key, entry, now) { return .forged }
            return self.store(entry, key, soul, known: known, isGuarded: guarded != nil, isOwn: isOwn)
        case .deferred:
            let ahead = Duration.milliseconds(min(entry.state - now, 1e12))
            guard ahead <= self.limits.deferralHorizon else { return .refused }
            if let guarded, !guarded.admits(soul, key, entry, now) { return .forged }
            let dropped = self.deferred.insert(.init(soul: soul, key: key, entry: entry))
            self.statistics.droppedDeferredCount += UInt64(dropped)
            return ahead <= self.limits.quarantineHorizon ? .deferred : .quarantined
        }
    }

    private mutating func store(
        _ entry: GunEntry, _ key: ExactText, _ soul: ExactText, known: GunEntry?, isGuarded: Bool, isOwn: Bool
    ) -> Outcome {
        let cost = Self.entryCost + key.byteCount + entry.value.byteCount
        let knownCost = known.map { Self.entryCost + key.byteCount + $0.value.byteCount } ?? 0
        let isNew = self.nodes[soul] == nil
        // What others write to this peer's own nodes may fill the room that strangers have, and no more.
        if !isOwn, self.nodes[soul]?.tenure == .own, self.byteCount + cost - knownCost > self.limits.byteCount,
            self.strangers.count + self.signed.count == 0
        {
            return .refused
        }
        // Out of the table while it is changed, so that it is not copied.
        var node =
            self.nodes.removeValue(forKey: soul)
            ?? Node(byteCount: Self.nodeCost + soul.byteCount, tenure: isOwn ? .own : isGuarded ? .signed : .stranger)
        let before = isNew ? 0 : node.byteCount
        while node.entries.count + (known == nil ? 1 : 0) > self.limits.keyCount || node.byteCount + cost - knownCost > self.limits.nodeByteCount {
            // The oldest of the others makes room, for those who may ask for it.
            guard isOwn || isGuarded,
                let oldest = node.entries.lazy.filter({ $0.key != key }).min(by: { ($0.value.state, $0.key) < ($1.value.state, $1.key) }),
                isOwn || oldest.value.state < entry.state
            else {
                if !isNew {
                    self.byteCount += node.byteCount - before
                    self.nodes[soul] = node
                }
                return .refused
            }
            node.entries[oldest.key] = nil
            node.byteCount -= Self.entryCost + oldest.key.byteCount + oldest.value.value.byteCount
            self.statistics.evictedEntryCount += 1
        }
        node.entries[key] = entry
        node.byteCount += cost - knownCost
        if isOwn, node.tenure != .own {
            node.tenure = .own
            self.strangers.remove(soul)
            self.signed.remove(soul)
        }
        self.byteCount += node.byteCount - before
        self.nodes[soul] = node
        self.dirty.insert(soul)
        self.touch(soul)
        self.makeRoom(sparing: soul)
        return .taken
    }

    private mutating func makeRoom(sparing soul: ExactText) {
        while self.nodes.count > self.limits.nodeCount || self.byteCount > self.limits.byteCount {
            guard let victim = self.strangers.first ?? self.signed.first, victim != soul || self.strangers.count + self.signed.count > 1 else { return }
            if victim == soul {
                // Only when it is the last stranger's: then a signed one goes.
                guard let other = self.signed.first, other != soul else { return }
                self.forget(other)
            } else {
                self.forget(victim)
            }
            self.statistics.evictedNodeCount += 1
        }
    }

    /// Drops a node, whosever it is.
    mutating func forget(_ soul: ExactText) {
        guard let node = self.nodes.removeValue(forKey: soul) else { return }
        self.byteCount -= node.byteCount
        self.strangers.remove(soul)
        self.signed.remove(soul)
        self.dirty.insert(soul)
    }

    /// Drops keys of a node that mean nothing any more, without a word to others.
    mutating func forget(_ keys: [ExactText], of soul: ExactText) {
        guard keys.contains(where: { self.nodes[soul]?.entries[$0] != nil }), var node = self.nodes.removeValue(forKey: soul) else { return }
        let before = node.byteCount
        for key in keys {
            guard let entry = node.entries.removeValue(forKey: key) else { continue }
            node.byteCount -= Self.entryCost + key.byteCount + entry.value.byteCount
        }
        self.byteCount += node.byteCount - before
        self.nodes[soul] = node
        self.dirty.insert(soul)
        if node.entries.isEmpty { self.forget(soul) }
    }

    /// The node is this peer's no longer, and may be forgotten as others are.
    mutating func release(_ soul: ExactText) {
        guard self.nodes[soul]?.tenure == .own else { return }
        let tenure: Tenure = self.isGuarded(soul) ? .signed : .stranger
        self.nodes[soul]?.tenure = tenure
        self.dirty.insert(soul)
        self.touch(soul)
        self.makeRoom(sparing: soul)
    }

    /// Takes what was kept back and whose time has come.
    mutating func timeCame(now: Double) -> [Change] {
        var changed: [ExactText: [ExactText]] = [:]
        for write in self.deferred.due(now: now)
        where self.write(write.entry, to: write.key, of: write.soul, now: now, isOwn: self.isOwn(write.soul)) == .taken {
            changed[write.soul, default: []].append(write.key)
        }
        return changed.map { Change(soul: $0.key, keys: $0.value) }.sorted { $0.soul < $1.soul }
    }

    // MARK: Keeping

    /// Puts back what was kept in a store. Guards and limits hold for it too; nothing counts as changed.
    mutating func restore(_ stored: GunStoredNode, now: Double) {
        let wasDirty = self.dirty
        for (key, entry) in stored.node.entries { _ = self.write(entry, to: key, of: stored.node.soul, now: now, isOwn: stored.isOwn) }
        self.dirty = wasDirty
    }

    /// What to put into a store since the last call: nodes as they are, and souls that are gone.
    mutating func takeChanges(limit: Int) -> (changed: [GunStoredNode], removed: [ExactText]) {
        var changed: [GunStoredNode] = []
        var removed: [ExactText] = []
        for soul in self.dirty.prefix(limit) {
            self.dirty.remove(soul)
            if let node = self.nodes[soul] {
                changed.append(GunStoredNode(node: GunNode(soul, node.entries), isOwn: node.tenure == .own))
            } else {
                removed.append(soul)
            }
        }
        return (changed, removed)
    }

    var hasChanges: Bool { !self.dirty.isEmpty }
}
