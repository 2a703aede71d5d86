import DIGIdentity
import DIGMultiformats
import OrderedCollections

extension GossipRouter {
    /// Everything of an RPC but its messages.
    mutating func received(_ rpc: GossipRPC, from peer: PeerID, now: Instant) {
        guard self.peers[peer] != nil, !self.isGraylisted(peer) else { return self.counters.graylistedRPCs += 1 }
        if rpc.excessCount > 0 {
            self.counters.excessItems += UInt64(rpc.excessCount)
            self.scores.misbehaved(peer)
        }
        self.receivedSubscriptions(rpc.subscriptions, from: peer)
        self.receivedBroken(rpc.brokenMessageTopics, from: peer)
        for topic in rpc.graft { self.receivedGraft(topic, from: peer, now: now) }
        for prune in rpc.prune { self.receivedPrune(prune, from: peer, now: now) }
        if !rpc.ihave.isEmpty { self.receivedIHave(rpc.ihave, from: peer, now: now) }
        if !rpc.iwant.isEmpty { self.receivedIWant(rpc.iwant, from: peer) }
    }

    // MARK: Subscriptions

    private mutating func receivedSubscriptions(_ subscriptions: [GossipRPC.Subscription], from peer: PeerID) {
        var ignored = 0
        for subscription in subscriptions {
            let topic = subscription.topic
            guard subscription.isSubscribed else {
                guard self.peers[peer]?.topics.remove(topic) != nil else { continue }
                self.members[topic]?.remove(peer)
                if self.members[topic]?.isEmpty == true { self.members[topic] = nil }
                if self.meshes[topic]?.remove(peer) != nil { self.scores.pruned(peer, topic: topic) }
                self.fanouts[topic]?.peers.remove(peer)
                continue
            }
            guard let known = self.peers[peer]?.topics, !known.contains(topic) else { continue }
            guard known.count < self.configuration.maximumTopicsPerPeer || self.meshes[topic] != nil else {
                ignored += 1
                continue
            }
            self.peers[peer]?.topics.append(topic)
            self.members[topic, default: []].append(peer)
        }
        guard ignored > 0 else { return }
        self.counters.ignoredSubscriptions += UInt64(ignored)
        self.scores.misbehaved(peer)
    }

    // MARK: GRAFT and PRUNE

    private mutating func receivedGraft(_ topic: String, from peer: PeerID, now: Instant) {
        // v1.1, "Spam Protection Measures": no answer for topics that are not here.
        guard let mesh = self.meshes[topic] else { return self.counters.refusedGrafts += 1 }
        guard !mesh.contains(peer) else { return }
        let score = self.scores.score(of: peer)
        var exchanging = true
        if self.isDirect(peer) {
            exchanging = false
        } else if let end = self.backoffs.end(peer, topic: topic), end > now {
            self.counters.graftsDuringBackoff += 1
            self.scores.misbehaved(peer)
            // So soon after the PRUNE that it must have seen it.
            let begin = end - self.configuration.pruneBackoff
            if now < begin + self.configuration.graftFloodThreshold { self.scores.misbehaved(peer) }
            exchanging = false
        } else if score < 0 {
            exchanging = false
        } else if mesh.count >= self.configuration.maximumMeshDegree,
            self.configuration.maximumMeshDegree == 0 || self.peers[peer]?.info.isOutbound != true
        {
            // An outbound one may come in still, unless there is to be no mesh: whoever attacks can't choose whom this node dials.
        } else {
            self.counters.grafted += 1
            self.meshes[topic]?.append(peer)
            self.scores.grafted(peer, topic: topic, now: now)
            return
        }
        self.counters.refusedGrafts += 1
        guard self.peers[peer]?.pruneReplies ?? 0 < Self.maximumPruneReplies else {
            return self.backoffs.add(peer, topic: topic, until: now + self.configuration.pruneBackoff)
        }
        self.peers[peer]?.pruneReplies += 1
        self.refuse(peer, topic, exchanging: exchanging, now: now)
    }

    private mutating func receivedPrune(_ prune: GossipRPC.Prune, from peer: PeerID, now: Instant) {
        guard self.meshes[prune.topic] != nil else { return }
        if self.meshes[prune.topic]?.remove(peer) != nil { self.scores.pruned(peer, topic: prune.topic) }
        var backoff = self.configuration.pruneBackoff
        if let seconds = prune.backoffSeconds, seconds > 0 {
            // As an integer first: a peer's number must not overflow ours.
            let maximum = UInt64(clamping: self.configuration.maximumBackoff.components.seconds)
            backoff = .seconds(Int64(clamping: min(seconds, maximum)))
        }
        self.backoffs.add(peer, topic: prune.topic, until: now + backoff)
        if !prune.peers.isEmpty { self.receivedPeers(prune.peers, from: peer) }
    }

    /// Peer exchange. Only for peers that are named by somebody trusted, and have signed where they are.
    private mutating func receivedPeers(_ exchanged: [GossipRPC.ExchangedPeer], from peer: PeerID) {
        guard self.scores.score(of: peer) >= self.configuration.thresholds.acceptPeerExchange else {
            return self.counters.ignoredExchangedPeers += UInt64(exchanged.count)
        }
        for (index, other) in exchanged.shuffled(using: &self.generator).enumerated() {
            guard index < self.configuration.exchangedPeerCount, other.peer != self.localPeer, self.peers[other.peer] == nil,
                let addresses = Self.addresses(of: other)
            else {
                self.counters.ignoredExchangedPeers += 1
                continue
            }
            self.counters.exchangedPeers += 1
            self.actions.append(.connect(other.peer, addresses: addresses))
        }
    }

    private static func addresses(of other: GossipRPC.ExchangedPeer) -> [Multiaddr]? {
        guard let bytes = other.record else { return nil }
        do throws(IdentityError) {
            let record = try PeerRecord(opening: SignedEnvelope(decoding: bytes))
            return record.peer == other.peer && !record.addresses.isEmpty ? record.addresses : nil
        } catch {
            return nil
        }
    }

    // MARK: IHAVE and IWANT

    private mutating func receivedIHave(_ offers: [GossipRPC.IHave], from peer: PeerID, now: Instant) {
        func ignore() { self.counters.ignoredIHave += UInt64(offers.count) }
        guard self.scores.score(of: peer) >= self.configuration.thresholds.gossip else { return ignore() }
        self.peers[peer]?.ihaveCount += 1
        let asked = self.peers[peer]?.requestedCount ?? 0
        guard self.peers[peer]?.ihaveCount ?? 0 <= self.configuration.maximumIHaveMessages, asked < self.configuration.maximumIHaveLength else {
            return ignore()
        }
        var wanted: OrderedSet<GossipMessageID> = []
        for offer in offers {
            guard self.meshes[offer.topic] != nil else {
                self.counters.ignoredIHave += 1
                continue
            }
            for id in offer.ids where !self.seen.contains(id) && !id.bytes.starts(with: self.localPeer.bytes) { wanted.append(id) }
        }
        let ids = wanted.shuffled(using: &self.generator).prefix(self.configuration.maximumIHaveLength - asked)
        // One at random is followed: the order is random already.
        guard let followed = ids.first else { return }
        self.peers[peer]?.requestedCount += ids.count
        self.counters.requestedMessages += UInt64(ids.count)
        self.promises.add(followed, by: peer, until: now + self.configuration.promiseTimeout)
        self.send(to: peer) { $0.iwant.append(contentsOf: ids) }
    }

    private mutating func receivedIWant(_ ids: [GossipMessageID], from peer: PeerID) {
        guard self.scores.score(of: peer) >= self.configuration.thresholds.gossip else {
            return self.counters.ignoredIWant += UInt64(ids.count)
        }
        for id in ids {
            guard self.peers[peer]?.servedCount ?? 0 < self.configuration.maximumIHaveLength,
                let message = self.cache.take(id, for: peer, limit: self.configuration.gossipRetransmissions)
            else {
                self.counters.ignoredIWant += 1
                continue
            }
            self.peers[peer]?.servedCount += 1
            self.counters.answeredIWant += 1
            self.forward(message, to: CollectionOfOne(peer))
        }
    }
}
