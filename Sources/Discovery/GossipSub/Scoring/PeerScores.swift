import DequeModule
import DIGIdentity
import OrderedCollections

/// What this node thinks of each peer, also of some that have left.
struct PeerScores: Sendable {
    typealias Instant = ContinuousClock.Instant

    private struct Topic {
        var graftedAt: Instant?
        var timeInMesh: Duration = .zero
        var firstDeliveries = 0.0
        var meshDeliveries = 0.0
        var isActive = false
        var failurePenalty = 0.0
        var invalidDeliveries = 0.0

        var isEmpty: Bool {
            self.graftedAt == nil && self.firstDeliveries == 0 && self.meshDeliveries == 0 && self.failurePenalty == 0 && self.invalidDeliveries == 0
        }

        func deficit(_ parameters: TopicScoreParameters) -> Double {
            guard self.isActive, self.meshDeliveries < parameters.meshMessageDeliveriesThreshold else { return 0 }
            let missing = parameters.meshMessageDeliveriesThreshold - self.meshDeliveries
            return missing * missing
        }
    }

    private struct Entry {
        var topics: OrderedDictionary<String, Topic> = [:]
        var behaviourPenalty = 0.0
        /// Where it is, as far as that counts.
        var network: String?
        /// When it is forgotten; nil while it is connected.
        var expiresAt: Instant?
    }

    private let parameters: PeerScoreParameters
    private var entries: [PeerID: Entry] = [:]
    /// In the order in which they left. Some are back.
    private var left: Deque<PeerID> = []
    private var networks: [String: Int] = [:]
    private var nextDecay: Instant

    init(parameters: PeerScoreParameters, now: Instant) {
        self.parameters = parameters
        self.nextDecay = now + parameters.decayInterval
    }

    var count: Int { self.entries.count }

    // MARK: Coming and going

    mutating func connected(_ peer: PeerID, network: String?) {
        var entry = self.entries[peer] ?? Entry()
        self.leaveNetwork(&entry)
        entry.expiresAt = nil
        entry.network = network
        if let network { self.networks[network, default: 0] += 1 }
        self.entries[peer] = entry
    }

    /// A good score is forgotten at once, so that nobody can save one up; a bad one stays for a while.
    mutating func disconnected(_ peer: PeerID, now: Instant) {
        let score = self.score(of: peer)
        guard var entry = self.entries[peer], entry.expiresAt == nil else { return }
        self.leaveNetwork(&entry)
        for name in entry.topics.keys {
            Self.leave(&entry.topics[name, default: Topic()], self.parameters.topic(name))
            entry.topics[name]?.firstDeliveries = 0
        }
        let isBad = entry.behaviourPenalty > 0 || entry.topics.values.contains { $0.failurePenalty > 0 || $0.invalidDeliveries > 0 }
        guard score < 0 || isBad else { return self.entries[peer] = nil }
        entry.expiresAt = now + self.parameters.retention
        self.entries[peer] = entry
        self.left.append(peer)
        while self.left.count > self.parameters.maximumRetainedPeers, let first = self.left.popFirst() {
            if self.entries[first]?.expiresAt != nil { self.entries[first] = nil }
        }
    }

    private mutating func leaveNetwork(_ entry: inout Entry) {
        guard let network = entry.network else { return }
        let count = self.networks[network, default: 1] - 1
        self.networks[network] = count > 0 ? count : nil
        entry.network = nil
    }

    // MARK: What peers do

    mutating func grafted(_ peer: PeerID, topic: String, now: Instant) {
        self.change(peer, topic) { state, _ in
            state.graftedAt = now
            state.timeInMesh = .zero
            state.isActive = false
        }
    }

    mutating func pruned(_ peer: PeerID, topic: String) {
        guard self.entries[peer]?.topics[topic] != nil else { return }
        self.change(peer, topic) { state, parameters in Self.leave(&state, parameters) }
    }

    private static func leave(_ state: inout Topic, _ parameters: TopicScoreParameters) {
        if state.graftedAt != nil { state.failurePenalty += state.deficit(parameters) }
        state.graftedAt = nil
        state.timeInMesh = .zero
        state.isActive = false
    }

    mutating func deliveredFirst(_ peer: PeerID, topic: String) {
        self.change(peer, topic) { state, parameters in
            state.firstDeliveries = min(state.firstDeliveries + 1, parameters.firstMessageDeliveriesCap)
            if state.graftedAt != nil { state.meshDeliveries = min(state.meshDeliveries + 1, parameters.meshMessageDeliveriesCap) }
        }
    }

    /// As good as the first.
    mutating func deliveredNearFirst(_ peer: PeerID, topic: String) {
        self.change(peer, topic) { state, parameters in
            if state.graftedAt != nil { state.meshDeliveries = min(state.meshDeliveries + 1, parameters.meshMessageDeliveriesCap) }
        }
    }

    mutating func deliveredInvalid(_ peer: PeerID, topic: String) {
        self.change(peer, topic) { state, _ in state.invalidDeliveries += 1 }
    }

    mutating func misbehaved(_ peer: PeerID, _ amount: Double = 1) { self.entries[peer]?.behaviourPenalty += amount }

    /// The node has left the topic: what happened under it no longer counts.
    mutating func forget(topic: String) {
        for peer in self.entries.keys { self.entries[peer]?.topics[topic] = nil }
    }

    private mutating func change(_ peer: PeerID, _ topic: String, _ body: (inout Topic, TopicScoreParameters) -> Void) {
        guard self.entries[peer] != nil else { return }
        body(&self.entries[peer, default: Entry()].topics[topic, default: Topic()], self.parameters.topic(topic))
    }

    // MARK: The score

    func score(of peer: PeerID) -> Double {
        guard let entry = self.entries[peer] else { return 0 }
        var score = 0.0
        for (name, state) in entry.topics {
            let parameters = self.parameters.topic(name)
            var part = 0.0
            if state.graftedAt != nil {
                part += min(state.timeInMesh / parameters.timeInMeshQuantum, parameters.timeInMeshCap) * parameters.timeInMeshWeight
            }
            part += state.firstDeliveries * parameters.firstMessageDeliveriesWeight
            if state.graftedAt != nil { part += state.deficit(parameters) * parameters.meshMessageDeliveriesWeight }
            part += state.failurePenalty * parameters.meshFailurePenaltyWeight
            part += state.invalidDeliveries * state.invalidDeliveries * parameters.invalidMessageDeliveriesWeight
            score += part * parameters.topicWeight
        }
        if self.parameters.topicScoreCap > 0 { score = min(score, self.parameters.topicScoreCap) }
        if let application = self.parameters.applicationScore { score += application(peer) * self.parameters.applicationScoreWeight }
        if let network = entry.network, let count = self.networks[network], count > self.parameters.colocationThreshold {
            let surplus = Double(count - self.parameters.colocationThreshold)
            score += surplus * surplus * self.parameters.colocationWeight
        }
        let excess = entry.behaviourPenalty - self.parameters.behaviourPenaltyThreshold
        if excess > 0 { score += excess * excess * self.parameters.behaviourPenaltyWeight }
        // An application that answers with what is no number must not get the peer past a threshold.
        return score.isNaN ? -.infinity : score
    }

    // MARK: Time

    /// Lets what was fade, once for each interval that is over, and forgets whoever has left for long.
    mutating func advance(to now: Instant) {
        var steps = 0
        while self.nextDecay <= now, steps < 64 {
            self.nextDecay += self.parameters.decayInterval
            steps += 1
        }
        // After a long sleep the rest is not made up for.
        if self.nextDecay <= now { self.nextDecay = now + self.parameters.decayInterval }
        guard steps > 0 else { return }
        for peer in Array(self.entries.keys) {
            guard var entry = self.entries[peer] else { continue }
            if let expiresAt = entry.expiresAt, expiresAt <= now {
                self.entries[peer] = nil
                continue
            }
            // Reconnecting must not be a way to wait less: those that have left do not fade.
            guard entry.expiresAt == nil else { continue }
            for _ in 0..<steps { self.decay(&entry) }
            for name in entry.topics.keys {
                let parameters = self.parameters.topic(name)
                if let graftedAt = entry.topics[name]?.graftedAt {
                    let time = now - graftedAt
                    entry.topics[name]?.timeInMesh = time
                    if time > parameters.meshMessageDeliveriesActivation { entry.topics[name]?.isActive = true }
                }
            }
            entry.topics.removeAll { $0.value.isEmpty }
            self.entries[peer] = entry
        }
        let entries = self.entries
        self.left.removeAll { entries[$0]?.expiresAt == nil }
    }

    private func decay(_ entry: inout Entry) {
        let zero = self.parameters.decayToZero
        func fade(_ value: inout Double, _ factor: Double) {
            value *= factor
            if value < zero { value = 0 }
        }
        for index in entry.topics.values.indices {
            let parameters = self.parameters.topic(entry.topics.keys[index])
            fade(&entry.topics.values[index].firstDeliveries, parameters.firstMessageDeliveriesDecay)
            fade(&entry.topics.values[index].meshDeliveries, parameters.meshMessageDeliveriesDecay)
            fade(&entry.topics.values[index].failurePenalty, parameters.meshFailurePenaltyDecay)
            fade(&entry.topics.values[index].invalidDeliveries, parameters.invalidMessageDeliveriesDecay)
        }
        fade(&entry.behaviourPenalty, self.parameters.behaviourPenaltyDecay)
    }
}
