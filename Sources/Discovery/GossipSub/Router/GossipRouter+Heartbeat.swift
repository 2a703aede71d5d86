import DIGIdentity
import OrderedCollections

extension GossipRouter {
    /// Mends the meshes and gossips. Called once in each ``GossipSubConfiguration/heartbeatInterval``; late or more often does no harm.
    mutating func heartbeat(now: Instant) {
        self.heartbeatCount += 1
        for peer in self.peers.keys {
            self.peers[peer]?.ihaveCount = 0
            self.peers[peer]?.requestedCount = 0
            self.peers[peer]?.servedCount = 0
            self.peers[peer]?.pruneReplies = 0
        }
        // A heartbeat longer than asked for, so that both ends are sure that it is over.
        self.backoffs.expire(now: now - self.configuration.heartbeatInterval)
        self.seen.expire(now: now)
        for (peer, count) in self.promises.broken(now: now) {
            self.counters.brokenPromises += UInt64(count)
            self.scores.misbehaved(peer, Double(count))
        }
        self.scores.advance(to: now)

        let scores = Dictionary(uniqueKeysWithValues: self.peers.keys.map { ($0, self.scores.score(of: $0)) })
        for topic in self.meshes.keys {
            self.maintainMesh(topic, scores: scores, now: now)
            self.gossip(topic, except: self.meshes[topic] ?? [], scores: scores)
        }
        self.maintainFanouts(scores: scores, now: now)
        self.cache.shift()
    }

    // MARK: Mesh

    private mutating func maintainMesh(_ topic: String, scores: [PeerID: Double], now: Instant) {
        func score(_ peer: PeerID) -> Double { scores[peer] ?? 0 }
        func isOutbound(_ peer: PeerID) -> Bool { self.peers[peer]?.info.isOutbound ?? false }
        func mesh() -> OrderedSet<PeerID> { self.meshes[topic] ?? [] }
        let configuration = self.configuration

        for peer in mesh() where score(peer) < 0 { self.prune(peer, topic, exchanging: false, now: now) }

        if mesh().count < configuration.minimumMeshDegree {
            let others = self.members(of: topic) { self.isGraftable($0, topic, now: now) }
            for peer in self.pick(configuration.meshDegree - mesh().count, of: others) { self.graft(peer, topic, now: now) }
        }

        if mesh().count > configuration.maximumMeshDegree {
            let kept = self.survivors(of: mesh(), scores: scores)
            for peer in mesh() where !kept.contains(peer) { self.prune(peer, topic, exchanging: true, now: now) }
        }

        if mesh().count >= configuration.minimumMeshDegree {
            let missing = configuration.outboundMeshDegree - mesh().count(where: isOutbound)
            let others = missing > 0 ? self.members(of: topic) { isOutbound($0) && self.isGraftable($0, topic, now: now) } : []
            for peer in self.pick(missing, of: others) { self.graft(peer, topic, now: now) }
        }

        if configuration.opportunisticGraftTicks > 0, self.heartbeatCount % configuration.opportunisticGraftTicks == 0, mesh().count > 1 {
            let sorted = mesh().map(score).sorted()
            let median = sorted[sorted.count / 2]
            guard median < configuration.thresholds.opportunisticGraft else { return }
            let others = self.members(of: topic) { score($0) > median && self.isGraftable($0, topic, now: now) }
            for peer in self.pick(configuration.opportunisticGraftPeers, of: others) { self.graft(peer, topic, now: now) }
        }
    }

    /// Who stays when a mesh is too big: the best, some at random, and of them enough that this node has dialed.
    private mutating func survivors(of mesh: OrderedSet<PeerID>, scores: [PeerID: Double]) -> OrderedSet<PeerID> {
        func isOutbound(_ peer: PeerID) -> Bool { self.peers[peer]?.info.isOutbound ?? false }
        // Shuffled first, so that among equals it is chance.
        let ranked = mesh.shuffled(using: &self.generator).enumerated().sorted {
            let (left, right) = (scores[$0.element] ?? 0, scores[$1.element] ?? 0)
            return left == right ? $0.offset < $1.offset : left > right
        }.map(\.element)
        let best = ranked.prefix(self.configuration.scoredMeshDegree)
        let rest = ranked.dropFirst(best.count).shuffled(using: &self.generator)
        var kept = Array(best) + rest.prefix(max(0, self.configuration.meshDegree - best.count))
        var left = rest.dropFirst(kept.count - best.count).filter(isOutbound)
        // From the end: those chosen at random go before those with a good score.
        var index = kept.count - 1
        while kept.count(where: isOutbound) < self.configuration.outboundMeshDegree, index >= 0, let outbound = left.popLast() {
            while index >= 0, isOutbound(kept[index]) { index -= 1 }
            guard index >= 0 else { break }
            kept[index] = outbound
            index -= 1
        }
        return OrderedSet(kept)
    }

    // MARK: Fanout

    private mutating func maintainFanouts(scores: [PeerID: Double], now: Instant) {
        for topic in self.fanouts.keys {
            guard var fanout = self.fanouts[topic] else { continue }
            fanout.peers = fanout.peers.filter {
                self.members[topic]?.contains($0) == true && scores[$0] ?? 0 >= self.configuration.thresholds.publish
            }
            let peers = fanout.peers
            let others = self.members(of: topic) {
                !peers.contains($0) && !self.isDirect($0) && scores[$0] ?? 0 >= self.configuration.thresholds.publish
            }
            fanout.peers.append(contentsOf: self.pick(self.configuration.meshDegree - peers.count, of: others))
            let isOver = fanout.peers.isEmpty || now - fanout.publishedAt > self.configuration.fanoutLifetime
            self.fanouts[topic] = isOver ? nil : fanout
            if !isOver { self.gossip(topic, except: fanout.peers, scores: scores) }
        }
    }

    // MARK: Gossip

    private mutating func gossip(_ topic: String, except mesh: OrderedSet<PeerID>, scores: [PeerID: Double]) {
        let ids = self.cache.gossipIDs(of: topic)
        guard !ids.isEmpty else { return }
        let all = (self.members[topic] ?? []).filter {
            !mesh.contains($0) && !self.isDirect($0) && scores[$0] ?? 0 >= self.configuration.thresholds.gossip
        }
        let count = max(self.configuration.gossipDegree, Int(self.configuration.gossipFactor * Double(all.count)))
        for peer in all.shuffled(using: &self.generator).prefix(count) {
            // In another order for each, and when there are too many, others for each.
            let some = Array(ids.shuffled(using: &self.generator).prefix(self.configuration.maximumIHaveLength))
            self.counters.sentGossip += UInt64(some.count)
            self.send(to: peer) { $0.ihave.append(.init(topic: topic, ids: some)) }
        }
    }
}
