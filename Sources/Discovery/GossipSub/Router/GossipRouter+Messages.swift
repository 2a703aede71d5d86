import DIGIdentity
import OrderedCollections

extension GossipRouter {
    /// Whether a message is worth checking its signature. Cheap, and asked before each, so that a peer whose messages are invalid is stopped in
    /// the middle of an RPC.
    mutating func wants(_ message: GossipMessage, from peer: PeerID, now: Instant) -> Bool {
        guard self.peers[peer] != nil, !self.isGraylisted(peer) else {
            self.counters.unwantedMessages += 1
            return false
        }
        guard self.meshes[message.topic] != nil else {
            self.counters.unwantedMessages += 1
            return false
        }
        guard message.data.count <= self.configuration.maximumMessageByteCount else {
            self.counters.excessItems += 1
            self.scores.misbehaved(peer)
            return false
        }
        // After a restart others may still have some from before; that is nobody's fault.
        guard message.publisher != self.localPeer else {
            self.counters.ownMessagesReturned += 1
            return false
        }
        guard self.seen.contains(message.id) else { return true }
        self.broughtAgain(message, by: peer, now: now)
        return false
    }

    /// A message that ``wants(_:from:now:)`` let through has been looked at.
    ///
    /// Only here is it remembered as seen. Before, anybody could keep a message out by sending something with its name first.
    ///
    /// - Returns: Whether the application is to be asked.
    mutating func verified(_ message: GossipMessage, isSigned: Bool, from peer: PeerID, now: Instant) -> Bool {
        guard isSigned else {
            self.brokeSignature(peer, topic: message.topic)
            return false
        }
        let entry = SeenCache.Entry(fingerprint: message.fingerprint, status: .validating(bringers: []))
        guard self.seen.insert(message.id, entry, now: now) else {
            self.broughtAgain(message, by: peer, now: now)
            return false
        }
        self.promises.fulfil(message.id)
        return true
    }

    private mutating func brokeSignature(_ peer: PeerID, topic: String) {
        self.counters.invalidSignatures += 1
        self.scores.deliveredInvalid(peer, topic: topic)
    }

    /// Messages that could not even be read as such.
    mutating func receivedBroken(_ topics: [String], from peer: PeerID) {
        for topic in topics where self.meshes[topic] != nil { self.brokeSignature(peer, topic: topic) }
    }

    private mutating func broughtAgain(_ message: GossipMessage, by peer: PeerID, now: Instant) {
        self.counters.duplicates += 1
        guard var entry = self.seen[message.id], entry.fingerprint == message.fingerprint else { return }
        switch entry.status {
        case .validating(var bringers):
            // One entry for each peer that is connected, at most.
            guard !bringers.contains(peer) else { return }
            bringers.append(peer)
            entry.status = .validating(bringers: bringers)
        case .accepted(let moment, var bringers):
            let parameters = self.configuration.score.topic(message.topic)
            guard parameters.countsNearFirst, now - moment <= parameters.meshMessageDeliveriesWindow, !bringers.contains(peer) else { return }
            bringers.append(peer)
            entry.status = .accepted(at: moment, bringers: bringers)
            self.scores.deliveredNearFirst(peer, topic: message.topic)
        case .rejected:
            self.scores.deliveredInvalid(peer, topic: message.topic)
            return
        case .ignored:
            return
        }
        self.seen[message.id] = entry
    }

    /// The application has said what it thinks.
    mutating func validated(_ message: GossipMessage, verdict: GossipVerdict, from peer: PeerID, now: Instant) {
        var others: [PeerID] = []
        if case .validating(let bringers) = self.seen[message.id]?.status { others = bringers }
        func remember(_ status: SeenCache.Status) { self.seen[message.id]?.status = status }
        switch verdict {
        case .ignore:
            self.counters.ignored += 1
            remember(.ignored)
        case .reject:
            self.counters.rejected += 1
            remember(.rejected)
            for peer in [peer] + others { self.scores.deliveredInvalid(peer, topic: message.topic) }
        case .accept:
            remember(.accepted(at: now, bringers: self.configuration.score.topic(message.topic).countsNearFirst ? [peer] + others : []))
            self.scores.deliveredFirst(peer, topic: message.topic)
            for peer in others { self.scores.deliveredNearFirst(peer, topic: message.topic) }
            // The topic may have been left meanwhile.
            guard let mesh = self.meshes[message.topic] else { return }
            self.counters.delivered += 1
            self.cache.put(message)
            self.actions.append(.deliver(message))
            let direct = (self.members[message.topic] ?? []).filter { self.isDirect($0) }
            let recipients = mesh.union(direct).filter { $0 != peer && $0 != message.publisher && !others.contains($0) }
            self.forward(message, to: recipients)
        }
    }
}
