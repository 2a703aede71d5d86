import DIGIdentity
import DIGMultiformats
import OrderedCollections

/// Gossipsub v1.1 as a value: RPCs, messages and the time go in, ``GossipAction`` comes out.
///
/// After each call, perform ``takeActions()``. A message takes three steps, so that what is slow happens outside:
///
///     guard router.wants(message, from: peer, now: now) else { continue }
///     guard router.verified(message, isSigned: message.isSigned, from: peer, now: now) else { continue }
///     router.validated(message, verdict: application(message), from: peer, now: now)
///
/// Everything that is kept for a peer has a bound, and everything is kept in an order, so the same seed gives the same run.
struct GossipRouter<Generator: RandomNumberGenerator & Sendable>: Sendable {
    typealias Instant = ContinuousClock.Instant

    struct Fanout: Sendable {
        var peers: OrderedSet<PeerID> = []
        var publishedAt: Instant
    }

    /// PRUNEs sent to one peer for GRAFTs that were refused, between two heartbeats. Whoever needs more gets no answer.
    static var maximumPruneReplies: Int { 32 }

    let localPeer: PeerID
    let configuration: GossipSubConfiguration
    var generator: Generator
    var peers: OrderedDictionary<PeerID, GossipRouterPeer> = [:]
    /// The mesh of each topic that this node has subscribed to.
    var meshes: OrderedDictionary<String, OrderedSet<PeerID>> = [:]
    /// Of topics that it only publishes under.
    var fanouts: OrderedDictionary<String, Fanout> = [:]
    /// Who has subscribed to what, among the connected peers.
    var members: [String: OrderedSet<PeerID>] = [:]
    var backoffs: GossipBackoffs
    var scores: PeerScores
    var cache: MessageCache
    var seen: SeenCache
    var promises = GossipPromises()
    var counters = GossipSubStatistics()
    var heartbeatCount = 0

    private var outbox: OrderedDictionary<PeerID, GossipRPC> = [:]
    var actions: [GossipAction] = []

    init(localPeer: PeerID, configuration: GossipSubConfiguration, generator: Generator, now: Instant) {
        self.localPeer = localPeer
        self.configuration = configuration
        self.generator = generator
        self.backoffs = GossipBackoffs(maximumCount: configuration.maximumBackoffCount)
        self.scores = PeerScores(parameters: configuration.score, now: now)
        self.cache = MessageCache(
            length: configuration.historyLength, gossipLength: configuration.historyGossip, maximumByteCount: configuration.maximumCacheByteCount)
        self.seen = SeenCache(timeToLive: configuration.seenLifetime, maximumCount: configuration.maximumSeenCount)
    }

    /// What is to be done since the last call: one RPC for each peer with all that is for it.
    mutating func takeActions() -> [GossipAction] {
        let sends = self.outbox.map { GossipAction.send($0.value, to: $0.key) }
        defer { (self.outbox, self.actions) = ([:], []) }
        return self.actions + sends
    }

    mutating func send(to peer: PeerID, _ add: (inout GossipRPC) -> Void) { add(&self.outbox[peer, default: GossipRPC()]) }

    var statistics: GossipSubStatistics {
        var statistics = self.counters
        statistics.peerCount = self.peers.count
        statistics.subscriptionCount = self.meshes.count
        statistics.meshPeerCount = self.meshes.values.reduce(0) { $0 + $1.count }
        statistics.cachedMessageCount = self.cache.count
        statistics.cachedByteCount = self.cache.byteCount
        statistics.seenCount = self.seen.count
        statistics.backoffCount = self.backoffs.count
        statistics.promiseCount = self.promises.count
        statistics.scoredPeerCount = self.scores.count
        return statistics
    }

    // MARK: Peers

    func isDirect(_ peer: PeerID) -> Bool { self.configuration.directPeers[peer] != nil }

    /// Whether nothing of `peer` is to be looked at.
    func isGraylisted(_ peer: PeerID) -> Bool {
        !self.isDirect(peer) && self.scores.score(of: peer) < self.configuration.thresholds.graylist
    }

    /// A peer that speaks the protocol is there. Its stream is opened by the caller and begins with ``hello``.
    ///
    /// - Returns: False if there are too many.
    mutating func connected(_ peer: PeerID, _ info: GossipPeerInfo) -> Bool {
        guard peer != self.localPeer else { return false }
        if self.peers[peer] != nil {
            let record = info.record ?? self.peers[peer]?.info.record
            self.peers[peer]?.info = info
            self.peers[peer]?.info.record = record
        } else {
            guard self.peers.count < self.configuration.maximumPeers else {
                self.counters.refusedPeers += 1
                return false
            }
            self.peers[peer] = GossipRouterPeer(info: info)
        }
        self.scores.connected(peer, network: info.network)
        return true
    }

    /// What a stream begins with: everything subscribed to.
    var hello: GossipRPC {
        GossipRPC(subscriptions: self.meshes.keys.map { GossipRPC.Subscription(topic: $0, isSubscribed: true) })
    }

    mutating func disconnected(_ peer: PeerID, now: Instant) {
        guard self.peers[peer] != nil else { return }
        self.restarted(peer)
        self.peers[peer] = nil
        // The score takes note of the meshes that it is in.
        self.scores.disconnected(peer, now: now)
        self.promises.forget(peer)
        self.outbox[peer] = nil
    }

    /// The peer begins anew and will say again what it has subscribed to.
    mutating func restarted(_ peer: PeerID) {
        for topic in self.peers[peer]?.topics ?? [] {
            self.members[topic]?.remove(peer)
            if self.members[topic]?.isEmpty == true { self.members[topic] = nil }
        }
        self.peers[peer]?.topics = []
        self.lostStream(to: peer)
    }

    /// What was sent to the peer last may not have come to it, so it is in no mesh.
    mutating func lostStream(to peer: PeerID) {
        for topic in self.meshes.keys where self.meshes[topic]?.remove(peer) != nil { self.scores.pruned(peer, topic: topic) }
        for topic in self.fanouts.keys { self.fanouts[topic]?.peers.remove(peer) }
    }

    /// The peer sends what can't be read, or too much of it.
    mutating func sentMalformed(_ peer: PeerID) {
        self.counters.malformedRPCs += 1
        self.scores.misbehaved(peer)
    }

    // MARK: Subscribing and publishing

    /// JOIN.
    mutating func subscribe(_ topic: String, now: Instant) {
        guard self.meshes[topic] == nil else { return }
        for peer in self.peers.keys { self.send(to: peer) { $0.subscriptions.append(.init(topic: topic, isSubscribed: true)) } }
        self.meshes[topic] = []
        let fanout = self.fanouts.removeValue(forKey: topic)?.peers ?? []
        let first = fanout.filter { self.isGraftable($0, topic, now: now) }.prefix(self.configuration.meshDegree)
        let others = self.members(of: topic) { !first.contains($0) && self.isGraftable($0, topic, now: now) }
        for peer in Array(first) + self.pick(self.configuration.meshDegree - first.count, of: others) { self.graft(peer, topic, now: now) }
    }

    /// LEAVE.
    mutating func unsubscribe(_ topic: String, now: Instant) {
        guard let mesh = self.meshes.removeValue(forKey: topic) else { return }
        for peer in self.peers.keys { self.send(to: peer) { $0.subscriptions.append(.init(topic: topic, isSubscribed: false)) } }
        for peer in mesh {
            self.backoffs.add(peer, topic: topic, until: now + self.configuration.unsubscribeBackoff)
            self.sendPrune(to: peer, topic, backoff: self.configuration.unsubscribeBackoff, exchanged: [])
        }
        self.scores.forget(topic: topic)
    }

    /// Sends an own message.
    ///
    /// - Returns: To how many peers.
    mutating func publish(_ message: GossipMessage, now: Instant) -> Int {
        let entry = SeenCache.Entry(fingerprint: message.fingerprint, status: .accepted(at: now, bringers: []))
        guard self.seen.insert(message.id, entry, now: now) else { return 0 }
        self.counters.published += 1
        self.cache.put(message)
        let topic = message.topic
        let members = self.members[topic] ?? []
        var recipients = members.filter { self.isDirect($0) }
        if self.configuration.floodsOwnMessages {
            recipients.formUnion(members.filter { self.scores.score(of: $0) >= self.configuration.thresholds.publish })
        } else if let mesh = self.meshes[topic] {
            recipients.formUnion(mesh)
            // A mesh that has not formed yet must not keep the message from everybody.
            recipients.formUnion(self.pick(self.configuration.meshDegree - mesh.count, of: self.publishable(topic, except: mesh)))
        } else {
            var fanout = self.fanouts[topic] ?? Fanout(publishedAt: now)
            if fanout.peers.isEmpty { fanout.peers = OrderedSet(self.pick(self.configuration.meshDegree, of: self.publishable(topic, except: []))) }
            fanout.publishedAt = now
            // Nobody is there: nothing to remember.
            self.fanouts[topic] = fanout.peers.isEmpty ? nil : fanout
            recipients.formUnion(fanout.peers)
        }
        self.forward(message, to: recipients)
        return recipients.count
    }

    func publishable(_ topic: String, except others: OrderedSet<PeerID>) -> [PeerID] {
        self.members(of: topic) {
            !others.contains($0) && !self.isDirect($0) && self.scores.score(of: $0) >= self.configuration.thresholds.publish
        }
    }

    mutating func forward(_ message: GossipMessage, to recipients: some Sequence<PeerID>) {
        for peer in recipients {
            self.send(to: peer) { $0.messages.append(message) }
            self.counters.sentMessages += 1
        }
    }

    // MARK: Choosing peers

    func members(of topic: String, where isWanted: (PeerID) -> Bool) -> [PeerID] { (self.members[topic] ?? []).elements.filter(isWanted) }

    /// Up to `count`, at random.
    mutating func pick(_ count: Int, of peers: [PeerID]) -> [PeerID] {
        guard count > 0, !peers.isEmpty else { return [] }
        return Array(peers.shuffled(using: &self.generator).prefix(count))
    }

    func isGraftable(_ peer: PeerID, _ topic: String, now: Instant) -> Bool {
        self.peers[peer] != nil && self.meshes[topic]?.contains(peer) != true && !self.isDirect(peer) && self.backoffs.end(peer, topic: topic) == nil
            && self.scores.score(of: peer) >= 0
    }

    // MARK: GRAFT and PRUNE

    mutating func graft(_ peer: PeerID, _ topic: String, now: Instant) {
        self.meshes[topic]?.append(peer)
        self.scores.grafted(peer, topic: topic, now: now)
        self.counters.grafts += 1
        self.send(to: peer) { $0.graft.append(topic) }
    }

    mutating func prune(_ peer: PeerID, _ topic: String, exchanging: Bool, now: Instant) {
        self.meshes[topic]?.remove(peer)
        self.scores.pruned(peer, topic: topic)
        self.counters.prunes += 1
        self.refuse(peer, topic, exchanging: exchanging, now: now)
    }

    /// Keeps the peer away for a while, and says so.
    mutating func refuse(_ peer: PeerID, _ topic: String, exchanging: Bool, now: Instant) {
        self.backoffs.add(peer, topic: topic, until: now + self.configuration.pruneBackoff)
        var exchanged: [GossipRPC.ExchangedPeer] = []
        if exchanging, self.configuration.exchangesPeers {
            let others = self.members(of: topic) { $0 != peer && self.scores.score(of: $0) >= 0 }
            exchanged = self.pick(self.configuration.exchangedPeerCount, of: others).map { GossipRPC.ExchangedPeer(peer: $0, record: self.peers[$0]?.info.record) }
        }
        self.sendPrune(to: peer, topic, backoff: self.configuration.pruneBackoff, exchanged: exchanged)
    }

    private mutating func sendPrune(to peer: PeerID, _ topic: String, backoff: Duration, exchanged: [GossipRPC.ExchangedPeer]) {
        let isOld = self.peers[peer]?.info.isOld ?? false
        let prune = GossipRPC.Prune(
            topic: topic, backoffSeconds: isOld ? nil : UInt64(clamping: backoff.components.seconds), peers: isOld ? [] : exchanged)
        self.send(to: peer) {
            $0.graft.removeAll { $0 == topic }
            $0.prune.append(prune)
        }
    }
}
