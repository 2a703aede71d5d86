public import DIGIdentity
import DIGMultiformats
import DIGNet
import Logging
import NIOCore
import OrderedCollections
import Synchronization

extension KademliaService {
    private enum Event: Sendable {
        case answered(KademliaPeer, KademliaStreamPool.Answer)
        case failed(KademliaPeer, any Error)
        case deadlineReached
    }

    /// Whose word the addresses of nodes are: on a private network they may be private ones.
    var addressSource: DialOptions.AddressSource { self.configuration.allowsPrivateAddresses ? .user : .stranger }

    // MARK: Looking up

    /// Asks ever closer nodes until the closest are known.
    ///
    /// - Parameters:
    ///   - question: What each is asked.
    ///   - wanted: How many of the closest; nil: as configured.
    ///   - heard: Called for each answer; returns false when enough is known.
    /// - Throws: ``KademliaError`` `.noPeers` if nobody is known; `CancellationError`.
    func lookUp(
        _ target: KademliaKey, asking question: KademliaMessage, wanted: Int? = nil,
        heard: (KademliaPeer, KademliaMessage, Lookup) async -> Bool = { _, _, _ in true }
    ) async throws -> Lookup {
        var configuration = self.configuration.lookup
        if let wanted {
            configuration.replication = wanted
            configuration.resiliency = max(wanted, configuration.resiliency)
        }
        let filter = self.responder.filter
        await self.waitUntilJoined()
        try Task.checkCancellation()
        let (seeds, neighbours) = self.responder.state.withLock { state in
            state.statistics.lookups += 1
            return (
                state.table.closest(to: target, count: max(configuration.replication, configuration.disjointPaths)),
                state.table.closest(to: self.localKey, count: configuration.replication)
            )
        }
        let radius = wanted == nil
            ? ExpectedRadius.radius(around: self.localKey, neighbours: neighbours, replication: configuration.replication) : nil
        guard !seeds.isEmpty else { throw KademliaError(.noPeers, "no node of \(self.configuration.protocolID) is known") }
        var lookup = Lookup(
            target: target, localKey: self.localKey, seeds: seeds, radius: radius, configuration: configuration, now: .now
        ) { filter.groups($0.addresses) }
        await withTaskGroup(of: Event.self) { group in
            var hasTimer = false
            while !lookup.isFinished {
                while let peer = lookup.next(now: .now) {
                    group.addTask { await self.event(asking: question, of: peer) }
                }
                guard !lookup.isFinished, !Task.isCancelled else { break }
                if !hasTimer, let deadline = lookup.deadline {
                    hasTimer = true
                    group.addTask {
                        // Cancelled at the end only.
                        try? await Task.sleep(until: deadline, clock: .continuous)
                        return .deadlineReached
                    }
                }
                switch await group.next() {
                case .answered(let peer, let answer)?:
                    self.learned(peer, answer)
                    lookup.answered(peer.key, closer: self.usable(answer.message.closerPeers), now: .now)
                    if await !heard(peer, answer.message, lookup) { lookup.stop() }
                case .failed(let peer, let error)?:
                    lookup.failed(peer.key, now: .now)
                    // When nobody answers, the fault is likely to be here.
                    if lookup.answeredCount > 0, !(error is CancellationError) {
                        self.responder.state.withLock { $0.table.failed(peer.key, now: .now) }
                    }
                case .deadlineReached?:
                    hasTimer = false
                    lookup.deadlineReached(now: .now)
                case nil:
                    lookup.stop()
                }
            }
            group.cancelAll()
        }
        try Task.checkCancellation()
        self.responder.state.withLock { $0.table.refreshed(self.localKey.commonPrefixLength(with: target), now: .now) }
        return lookup
    }

    private func event(asking question: KademliaMessage, of peer: KademliaPeer) async -> Event {
        do {
            return .answered(peer, try await self.ask(question, of: peer))
        } catch {
            self.logger.trace(
                "no answer", metadata: ["dig.kademlia.peer": "\(peer.peer)", "dig.kademlia.error": "\(error)"])
            return .failed(peer, error)
        }
    }

    /// Asks one node, and counts.
    func ask(
        _ question: KademliaMessage, after announcements: [KademliaMessage] = [], of peer: KademliaPeer, source: DialOptions.AddressSource? = nil
    ) async throws -> KademliaStreamPool.Answer {
        self.count { $0.requestsSent += 1 }
        do {
            return try await self.pool.ask(
                question, after: announcements.map(KademliaCodec.encode), of: peer, source: source ?? self.addressSource)
        } catch {
            if !(error is CancellationError) { self.count { $0.requestsFailed += 1 } }
            throw error
        }
    }

    /// A node has answered: it serves the DHT.
    func learned(_ peer: KademliaPeer, _ answer: KademliaStreamPool.Answer) {
        var peer = peer
        let remote = answer.remoteAddress.removingPeerID()
        // Where it answered comes first; an inbound connection comes from a port where nobody listens.
        if answer.isDialed, self.responder.filter.admits(remote) {
            peer.addresses = self.responder.filter([remote] + peer.addresses)
        }
        guard !peer.addresses.isEmpty else { return }
        let network = self.responder.filter.group(remote)
        let (probe, isFirst) = self.responder.state.withLock { state -> (KademliaPeer?, Bool) in
            switch state.table.insert(peer, network: network, now: .now) {
            case .waits(let probe): return (probe, false)
            case .refused(.diversity):
                state.statistics.refusedNodes += 1
                return (nil, false)
            case .added: return (nil, state.table.count == 1)
            case .updated, .replaced, .refused(.isLocal): return (nil, false)
            }
        }
        if let probe { self.probe.yield(probe) }
        if isFirst { self.foundFirstNode() }
    }

    /// Nodes that can be dialed: what others say of them, or what is known already.
    private func usable(_ peers: [KademliaMessage.Peer]) -> [KademliaPeer] {
        peers.compactMap { named in
            guard named.peer != self.localPeer else { return nil }
            var peer = KademliaPeer(named.peer, addresses: self.responder.filter(named.addresses))
            if peer.addresses.isEmpty {
                let known = self.responder.state.withLock { $0.table.entry(peer.key)?.peer.addresses ?? $0.connected[peer.peer] }
                guard let known, !known.isEmpty else { return nil }
                peer.addresses = known
            }
            return peer
        }
    }

    /// The nodes closest to what `key` stands for, the closest first.
    ///
    /// - Throws: ``KademliaError`` `.noPeers`; `CancellationError`.
    public func closestPeers(to key: [UInt8]) async throws -> [KademliaPeer] {
        guard (1...KademliaLimits.maximumKeyByteCount).contains(key.count) else { throw KademliaError(.invalidKey, "a key of \(key.count) bytes") }
        let lookup = try await self.lookUp(KademliaKey(hashing: key), asking: KademliaMessage(kind: .findNode, key: key))
        return lookup.closest(self.configuration.lookup.replication)
    }

    /// Where `peer` is, as the first node says that knows. Nil if none does.
    ///
    /// - Throws: ``KademliaError`` `.noPeers`; `CancellationError`.
    public func findPeer(_ peer: PeerID) async throws -> KademliaPeer? {
        let target = KademliaKey(peer)
        let known = self.responder.state.withLock { $0.connected[peer] ?? $0.table.entry(target)?.peer.addresses }
        if let known, !known.isEmpty, self.dialer.connection(to: peer) != nil { return KademliaPeer(peer, key: target, addresses: known) }
        var found: KademliaPeer?
        _ = try await self.lookUp(target, asking: KademliaMessage(kind: .findNode, key: peer.bytes)) { _, answer, _ in
            guard let named = answer.closerPeers.first(where: { $0.peer == peer }) else { return true }
            let addresses = self.responder.filter(named.addresses)
            guard !addresses.isEmpty else { return true }
            found = KademliaPeer(peer, key: target, addresses: addresses)
            return false
        }
        return found
    }

    // MARK: Finding providers

    /// Who has what `key` stands for: what is known here at once, then what other nodes know, as they answer.
    ///
    /// - Parameters:
    ///   - key: A multihash, or whatever the network uses; 1 to 80 bytes.
    ///   - limit: Providers after which the search ends; nil: as configured.
    public func findProviders(of key: [UInt8], limit: Int? = nil) -> ProviderSearch {
        let limit = max(1, limit ?? self.configuration.maximumProvidersPerSearch)
        // Each provider comes twice at most: again with addresses if it came without.
        let (stream, continuation) = AsyncStream.makeStream(of: FoundProvider.self, bufferingPolicy: .bufferingOldest(limit * 2))
        let task = Task {
            await self.search(for: key, limit: limit, into: continuation)
            continuation.finish()
        }
        continuation.onTermination = { _ in task.cancel() }
        return ProviderSearch(stream: stream)
    }

    private func search(for key: [UInt8], limit: Int, into continuation: AsyncStream<FoundProvider>.Continuation) async {
        guard (1...KademliaLimits.maximumProviderKeyByteCount).contains(key.count) else { return }
        var seen: [PeerID: Bool] = [:]
        func tell(_ provider: FoundProvider) {
            let hasAddresses = !provider.addresses.isEmpty
            if let hadAddresses = seen[provider.peer], hadAddresses || !hasAddresses { return }
            guard seen.count < limit || seen[provider.peer] != nil else { return }
            seen[provider.peer] = hasAddresses
            continuation.yield(provider)
        }
        var generator = SystemRandomNumberGenerator()
        let own = self.responder.state.withLock { $0.providers.providers(of: key, limit: limit, now: .now, using: &generator) }
        for provider in own {
            tell(FoundProvider(peer: provider.provider, addresses: provider.addresses, isSigned: provider.statement != nil, source: self.localPeer, hops: 0))
        }
        guard seen.count < limit else { return }
        do {
            _ = try await self.lookUp(KademliaKey(hashing: key), asking: KademliaMessage(kind: .getProviders, key: key)) { peer, answer, lookup in
                let hops = (lookup.hops(to: peer.key) ?? 0) + 1
                for named in answer.providerPeers {
                    if let provider = self.believed(named, under: key, from: peer.peer, hops: hops) { tell(provider) }
                }
                return seen.count < limit
            }
        } catch {
            self.logger.debug("search ended", metadata: ["dig.kademlia.error": "\(error)"])
        }
    }

    /// A provider in an answer, if there is reason to believe it.
    private func believed(_ named: KademliaMessage.Peer, under key: [UInt8], from source: PeerID, hops: Int) -> FoundProvider? {
        guard let bytes = named.statement else {
            guard !self.configuration.requiresSignedProviders else {
                self.count { $0.disbelievedAnswers += 1 }
                return nil
            }
            return FoundProvider(peer: named.peer, addresses: self.responder.filter(named.addresses), isSigned: false, source: source, hops: hops)
        }
        guard case .success(let statement) = self.responder.checked(bytes, under: key, moment: .current), statement.provider == named.peer,
            !statement.isWithdrawn
        else {
            self.count { $0.disbelievedAnswers += 1 }
            return nil
        }
        return FoundProvider(
            peer: named.peer, addresses: self.responder.filter(statement.addresses), isSigned: true, source: source, hops: hops)
    }
}
