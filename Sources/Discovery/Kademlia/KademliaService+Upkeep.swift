import DIGIdentity
public import DIGMultiformats
import DIGNet
import Logging
import OrderedCollections
import Synchronization

extension KademliaService {
    // MARK: Beginning

    /// Gets to know the network: asks `peers`, and the configured ones, for the neighbourhood of this node.
    ///
    /// - Parameter peers: Each with `/p2p/…`; others are left out.
    /// - Returns: How many of them answered.
    /// - Throws: ``KademliaError`` `.noPeers` if none did; `CancellationError`.
    @discardableResult
    public func bootstrap(_ peers: [Multiaddr] = []) async throws -> Int {
        var nodes: [PeerID: [Multiaddr]] = [:]
        for address in peers + self.configuration.bootstrapPeers {
            guard let peer = address.peerID, peer != self.localPeer else { continue }
            nodes[peer, default: []].append(address.removingPeerID())
        }
        let question = KademliaMessage(kind: .findNode, key: self.localPeer.bytes)
        self.beginsToJoin(asking: nodes.count)
        let answered = await withTaskGroup(of: Bool.self) { group in
            for (peer, addresses) in nodes {
                group.addTask {
                    let node = KademliaPeer(peer, addresses: addresses)
                    do {
                        let answer = try await self.ask(question, of: node, source: .user)
                        // The user's word counts for where it is, also if others could not be told.
                        self.learned(KademliaPeer(peer, key: node.key, addresses: addresses), answer)
                        return true
                    } catch {
                        self.hasFailedToJoin()
                        self.logger.info(
                            "a bootstrap node does not answer",
                            metadata: ["dig.kademlia.peer": "\(peer)", "dig.kademlia.error": "\(error)"])
                        return false
                    }
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        self.hasTriedToJoin()
        try Task.checkCancellation()
        guard answered > 0 || self.statistics.routingTableCount > 0 else {
            throw KademliaError(.noPeers, "none of \(nodes.count) bootstrap nodes answers")
        }
        try await self.refresh()
        return answered
    }

    /// Looks up this node, which makes it known to its neighbours and them to it, then something in each bucket.
    ///
    /// - Throws: ``KademliaError`` `.noPeers`; `CancellationError`.
    public func refresh() async throws {
        _ = try await self.lookUp(self.localKey, asking: KademliaMessage(kind: .findNode, key: self.localPeer.bytes))
        let count = self.responder.state.withLock { $0.table.entries.count }
        for prefixLength in 0..<min(count, self.configuration.routingTable.maximumRefreshPrefixLength + 1) {
            try await self.refresh(prefixLength)
        }
    }

    private func refresh(_ prefixLength: Int) async throws {
        guard let peer = self.name(sharing: prefixLength) else { return }
        _ = try await self.lookUp(KademliaKey(peer), asking: KademliaMessage(kind: .findNode, key: peer.bytes))
    }

    /// A peer's name that nobody has, whose place shares exactly `prefixLength` bits with this node's: found by trying, 2ⁿ⁺¹ times on average.
    private func name(sharing prefixLength: Int) -> PeerID? {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<(16 << min(prefixLength, 20)) {
            let digest = (0..<4).flatMap { _ in withUnsafeBytes(of: generator.next() as UInt64) { Array($0) } }
            do throws(IdentityError) {
                let peer = try PeerID(multihash: Multihash(code: .sha2_256, digest: digest))
                if KademliaKey(peer).commonPrefixLength(with: self.localKey) == prefixLength { return peer }
            } catch {
                return nil
            }
        }
        return nil
    }

    // MARK: Keeping up

    /// While no node is known the configured ones are asked this often.
    private static let joinInterval: Duration = .seconds(5)

    /// Until cancelled. Begins with the nodes to begin with.
    func maintain() async {
        var nextSave = ContinuousClock.now + self.configuration.saveInterval
        var isFirst = true
        while !Task.isCancelled {
            let now = ContinuousClock.now
            self.pool.tidy(now: now)
            let (probes, refreshes) = self.responder.state.withLock { state in
                state.expire(now: now)
                return (state.table.probesDue(now: now, limit: 32), state.table.refreshesDue(now: now))
            }
            for peer in probes { self.probe.yield(peer) }
            do {
                let hasBeginning = !self.configuration.bootstrapPeers.isEmpty
                // What was saved may be nodes that are all gone.
                if isFirst || self.statistics.routingTableCount == 0, hasBeginning {
                    isFirst = false
                    try await self.bootstrap()
                } else if !refreshes.isEmpty {
                    let own = try await self.lookUp(self.localKey, asking: KademliaMessage(kind: .findNode, key: self.localPeer.bytes))
                    if own.answeredCount == 0, hasBeginning { try await self.bootstrap() }
                    for prefixLength in refreshes { try await self.refresh(prefixLength) }
                }
            } catch {
                self.logger.debug("no refresh", metadata: ["dig.kademlia.error": "\(error)"])
            }
            if now >= nextSave {
                nextSave = now + self.configuration.saveInterval
                await self.save()
            }
            let isAlone = self.statistics.routingTableCount == 0 && !self.configuration.bootstrapPeers.isEmpty
            let interval = isAlone ? min(Self.joinInterval, self.configuration.maintenanceInterval) : self.configuration.maintenanceInterval
            do { try await Task.sleep(for: interval) } catch { return }
        }
    }

    /// Asks nodes whether they serve the DHT, until cancelled.
    func proveNodes() async {
        await withDiscardingTaskGroup { group in
            let gate = RequestGate(count: self.configuration.maximumConcurrentProbes)
            for await peer in self.probes {
                do { try await gate.enter() } catch { return }
                group.addTask {
                    await self.prove(peer)
                    gate.leave()
                }
            }
        }
    }

    private func prove(_ peer: KademliaPeer) async {
        do {
            let answer = try await self.ask(KademliaMessage(kind: .findNode, key: self.localPeer.bytes), of: peer)
            self.learned(peer, answer)
        } catch is CancellationError {
            return
        } catch {
            let isNone = (error as? ConnectionError)?.code == .noCommonProtocol
            self.responder.state.withLock { state in
                if isNone { state.table.remove(peer.key) } else { state.table.failed(peer.key, now: .now) }
            }
        }
    }

    // MARK: Remembering

    /// Puts what was saved into the tables. Signatures and times are checked again; nodes are asked before they are believed.
    func load() async {
        guard let storage = self.storage else { return }
        let snapshot: KademliaSnapshot
        do { snapshot = try await storage.load(network: self.configuration.protocolID.rawValue) } catch is CancellationError {
            return
        } catch {
            self.logger.warning("what was saved can't be read", metadata: ["dig.kademlia.error": "\(error)"])
            return
        }
        let moment = KademliaResponder.Moment.current
        for peer in snapshot.peers.prefix(1024) where peer.peer != self.localPeer {
            let addresses = self.responder.filter(peer.addresses)
            guard let first = addresses.first else { continue }
            self.responder.state.withLock {
                // Old enough to be asked soon.
                _ = $0.table.insert(
                    KademliaPeer(peer.peer, addresses: addresses), network: self.responder.filter.group(first),
                    now: moment.now - self.configuration.routingTable.livenessInterval)
            }
        }
        for provider in snapshot.providers {
            var sequence: UInt64 = 0
            if let bytes = provider.statement {
                guard case .success(let statement) = self.responder.checked(bytes, under: provider.key, moment: moment),
                    statement.provider == provider.provider, !statement.isWithdrawn
                else { continue }
                sequence = statement.sequence
            } else if self.configuration.requiresSignedProviders {
                continue
            }
            let stored = StoredProvider(
                provider: provider.provider, addresses: self.responder.filter(provider.addresses), statement: provider.statement, sequence: sequence,
                expiresAt: moment.instant(of: provider.expiresAtMilliseconds))
            let network = provider.addresses.first.flatMap { self.responder.filter.group($0) }
            self.responder.state.withLock { _ = $0.providers.add(stored, under: provider.key, network: network, now: moment.now) }
        }
        for value in snapshot.values {
            do throws(ValueError) {
                let validator = try self.responder.validators.validator(for: value.key)
                _ = try validator.validate(value.value, under: value.key, nowMilliseconds: moment.milliseconds)
            } catch {
                continue
            }
            self.responder.state.withLock {
                _ = $0.values.store(
                    ValueRecord(key: value.key, value: value.value), expiresAt: moment.instant(of: value.expiresAtMilliseconds),
                    source: .init(self.localPeer, nil), now: moment.now)
            }
        }
        if self.statistics.routingTableCount > 0 { self.foundFirstNode() }
        guard self.configuration.remembersProvided else { return }
        self.schedule.withLock { schedule in
            for provided in snapshot.provided where (1...KademliaLimits.maximumProviderKeyByteCount).contains(provided.key.count) {
                let lifetime = Duration.seconds(Int64(clamping: min(provided.lifetimeSeconds, 172_800)))
                // What others may have forgotten since is announced at once.
                let age = Duration.milliseconds(
                    Int64(clamping: moment.milliseconds >= provided.providedAtMilliseconds ? moment.milliseconds - provided.providedAtMilliseconds : 0))
                let due = moment.now + max(.zero, schedule.interval(for: lifetime) - min(age, lifetime))
                schedule.add(provided.key, lifetime: lifetime, due: due, providedAt: moment.now - min(age, lifetime))
            }
        }
        self.provideWake.yield()
    }

    func save() async {
        guard let storage = self.storage else { return }
        let moment = KademliaResponder.Moment.current
        var snapshot = self.responder.state.withLock { state in
            var snapshot = KademliaSnapshot()
            snapshot.peers = state.table.entries.flatMap { $0 }.map { .init(peer: $0.peer.peer, addresses: $0.peer.addresses) }
            snapshot.providers = state.providers.all.map { key, provider, _ in
                .init(
                    key: key, provider: provider.provider, addresses: provider.addresses, statement: provider.statement,
                    expiresAtMilliseconds: moment.milliseconds(of: provider.expiresAt))
            }
            snapshot.values = state.values.all.map {
                .init(key: $0.record.key, value: $0.record.value, expiresAtMilliseconds: moment.milliseconds(of: $0.expiresAt))
            }
            return snapshot
        }
        snapshot.provided = !self.configuration.remembersProvided ? [] : self.schedule.withLock { schedule in
            schedule.all.map { entry in
                let age = entry.providedAt.map { moment.now - $0 } ?? .seconds(172_800)
                return .init(
                    key: entry.key, lifetimeSeconds: UInt64(clamping: entry.lifetime.components.seconds),
                    providedAtMilliseconds: entry.providedAt == nil ? 0 : moment.milliseconds &- UInt64(clamping: age.components.seconds) &* 1000)
            }
        }
        do { try await storage.save(snapshot, network: self.configuration.protocolID.rawValue) } catch {
            self.logger.warning("what is known can't be saved", metadata: ["dig.kademlia.error": "\(error)"])
        }
    }
}
