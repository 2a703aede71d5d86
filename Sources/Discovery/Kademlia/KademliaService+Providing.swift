import DIGIdentity
import DIGMultiformats
import DIGNet
import Logging
import Synchronization

extension KademliaService {
    /// Announces that this node has what `key` stands for, now and from time to time while ``run()`` runs, until ``stopProviding(_:)``.
    ///
    /// Keys whose first announcement fails stay on the list; they are announced when a node is known.
    ///
    /// - Parameters:
    ///   - key: 1 to 80 bytes.
    ///   - lifetime: How long others are to remember one announcement, 48 h at most; nil: as configured. Needs signed records: others keep
    ///     unsigned ones for as long as they like.
    /// - Throws: ``KademliaError`` `.invalidKey`, `.limitExceeded`, `.noPeers`, `.notStored`; `CancellationError`.
    @discardableResult
    public func provide(_ key: [UInt8], lifetime: Duration? = nil) async throws -> ProvideResult {
        try self.schedule([key], lifetime: lifetime, isSoon: false)
        let place = KademliaKey(hashing: key)
        do {
            let announcement = try self.announcement(
                of: key, lifetime: self.schedule.withLock { $0.entry(key)?.lifetime } ?? self.configuration.providerLifetime)
            self.keepHere([announcement])
            let lookup = try await self.lookUp(place, asking: Self.closestQuestion(key))
            let result = try await self.announce(announcement, to: lookup.keepers(self.configuration.lookup.replication))
            self.schedule.withLock { $0.provided([place], now: .now) }
            self.provideWake.yield()
            return result
        } catch {
            self.schedule.withLock { $0.failed([place], now: .now) }
            self.provideWake.yield()
            throw error
        }
    }

    /// Announces many keys in the background, region by region, while ``run()`` runs.
    ///
    /// - Throws: ``KademliaError`` `.invalidKey`, `.limitExceeded`; then none of them is on the list that was not before.
    public func provide(all keys: [[UInt8]], lifetime: Duration? = nil) throws {
        try self.schedule(keys, lifetime: lifetime, isSoon: true)
        self.provideWake.yield()
    }

    private func schedule(_ keys: [[UInt8]], lifetime: Duration?, isSoon: Bool) throws {
        guard keys.allSatisfy({ (1...KademliaLimits.maximumProviderKeyByteCount).contains($0.count) }) else {
            throw KademliaError(.invalidKey, "a key that can be provided has 1 to \(KademliaLimits.maximumProviderKeyByteCount) bytes")
        }
        let lifetime = min(lifetime ?? self.configuration.providerLifetime, self.configuration.providers.maximumLifetime)
        // What is announced right away is not also announced in the background.
        let due = isSoon ? ContinuousClock.now : .now + self.configuration.lookup.timeout + self.configuration.requestTimeout
        try self.schedule.withLock { schedule in
            let new = keys.count { schedule.entry($0) == nil }
            guard schedule.count + new <= self.configuration.maximumProvidedKeys else {
                throw KademliaError(.limitExceeded, "\(schedule.count) keys are provided already")
            }
            for key in keys { schedule.add(key, lifetime: lifetime, due: due) }
        }
    }

    /// Forgets that this node has what `key` stands for. Where records are signed, the nodes that name it are told.
    ///
    /// - Returns: How many nodes were told.
    @discardableResult
    public func stopProviding(_ key: [UInt8]) async throws -> Int {
        self.schedule.withLock { _ = $0.remove(key) }
        self.responder.state.withLock { _ = $0.providers.remove(self.localPeer, under: key, sequence: .max) }
        guard self.configuration.requiresSignedProviders, (1...KademliaLimits.maximumProviderKeyByteCount).contains(key.count) else { return 0 }
        self.keepHere([try self.announcement(of: key, lifetime: .seconds(3600), isWithdrawn: true)])
        var holders: [KademliaPeer] = []
        let lookup = try await self.lookUp(KademliaKey(hashing: key), asking: KademliaMessage(kind: .getProviders, key: key)) { peer, answer, _ in
            if answer.providerPeers.contains(where: { $0.peer == self.localPeer }) { holders.append(peer) }
            return true
        }
        for peer in lookup.keepers(self.configuration.lookup.replication) where !holders.contains(where: { $0.key == peer.key }) { holders.append(peer) }
        let withdrawal = try self.announcement(of: key, lifetime: .seconds(3600), isWithdrawn: true)
        return await withTaskGroup(of: Bool.self) { group in
            for peer in holders {
                group.addTask {
                    do {
                        let answer = try await self.ask(KademliaMessage(kind: .getProviders, key: key), after: [withdrawal], of: peer)
                        return !answer.message.providerPeers.contains { $0.peer == self.localPeer }
                    } catch {
                        return false
                    }
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
    }

    /// What this node announces, in no order. After a start also what the run before had announced, if it was saved: whoever no longer has
    /// something says so with ``stopProviding(_:)``.
    public var providedKeys: [[UInt8]] { self.schedule.withLock { $0.all.map(\.key) } }

    /// FIND_NODE, as go-libp2p asks before it provides; some answer it for short keys only.
    static func closestQuestion(_ key: [UInt8]) -> KademliaMessage {
        KademliaMessage(kind: key.count <= 50 ? .findNode : .getProviders, key: key)
    }

    /// ADD_PROVIDER for this node.
    func announcement(of key: [UInt8], lifetime: Duration, isWithdrawn: Bool = false) throws -> KademliaMessage {
        let addresses = self.responder.filter(self.localAddresses())
        var entry = KademliaMessage.Peer(peer: self.localPeer, addresses: addresses, connection: .connected)
        if self.configuration.requiresSignedProviders {
            let statement = ProviderStatement(
                provider: self.localPeer, key: key, sequence: self.nextSequence(),
                expiresAtMilliseconds: WallClock.nowMilliseconds + UInt64(clamping: lifetime.components.seconds) * 1000, addresses: addresses,
                isWithdrawn: isWithdrawn)
            entry.statement = try statement.sealed(with: self.identity).encoded
        }
        return KademliaMessage(kind: .addProvider, key: key, providerPeers: [entry])
    }

    private func announce(_ announcement: KademliaMessage, to peers: [KademliaPeer]) async throws -> ProvideResult {
        guard !peers.isEmpty else { throw KademliaError(.noPeers, "no node has answered") }
        let stored = await withTaskGroup(of: Bool.self) { group in
            for peer in peers { group.addTask { await self.send([announcement], to: peer) == [true] } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        try Task.checkCancellation()
        self.count {
            $0.recordsProvided += UInt64(stored)
            $0.recordsNotProvided += UInt64(peers.count - stored)
        }
        guard stored > 0 else { throw KademliaError(.notStored, "none of \(peers.count) nodes has stored the record") }
        return ProvideResult(asked: peers.count, stored: stored)
    }

    /// Announcements behind which one question is sent: enough that the question costs little, few enough that a slow line has them through in
    /// the time for a question, also with ``KademliaConfiguration/provideParallelism`` nodes at a time.
    static let maximumBatchCount = 128

    /// Sends announcements to one node and sees, batch by batch, whether it has the last of them.
    ///
    /// - Returns: For each, whether it is there. A node that does not answer is sent no more.
    private func send(_ announcements: [KademliaMessage], to peer: KademliaPeer) async -> [Bool] {
        var stored: [Bool] = []
        do {
            while stored.count < announcements.count {
                let batch = announcements[stored.count..<min(stored.count + Self.maximumBatchCount, announcements.count)]
                guard let last = batch.last else { break }
                let answer = try await self.ask(KademliaMessage(kind: .getProviders, key: last.key), after: Array(batch), of: peer)
                let providers = answer.message.providerPeers
                // Of many providers a node names some.
                let isStored = providers.contains { $0.peer == self.localPeer } || providers.count >= KademliaResponder.maximumProvidersPerAnswer
                stored += Array(repeating: isStored, count: batch.count)
            }
        } catch {
            self.logger.debug("records not stored", metadata: ["dig.kademlia.peer": "\(peer.peer)", "dig.kademlia.error": "\(error)"])
        }
        return stored + Array(repeating: false, count: announcements.count - stored.count)
    }

    /// A node that serves the DHT answers for itself too.
    private func keepHere(_ announcements: [KademliaMessage]) {
        guard self.mode == .server else { return }
        for announcement in announcements {
            _ = self.responder.reply(to: announcement, from: self.localPeer, at: Multiaddr(components: []), moment: .current)
        }
    }

    // MARK: Again and again

    /// Keys that one round takes from a region: the records of a round are in memory.
    private static let maximumRegionCount = 4096

    /// Announces what is due until cancelled.
    func reprovide() async {
        var timer: Task<Void, Never>?
        for await _ in self.provideWakes {
            timer?.cancel()
            while !Task.isCancelled, let entry = self.schedule.withLock({ $0.next(now: .now) }) {
                await self.provideRegion(around: entry)
            }
            if let due = self.schedule.withLock({ $0.nextDue }) {
                // Owned by this loop, which cancels it when it wakes for another reason and at the end.
                timer = Task { [provideWake] in
                    do { try await Task.sleep(until: due, clock: .continuous) } catch { return }
                    provideWake.yield()
                }
            }
        }
        timer?.cancel()
    }

    private func provideRegion(around entry: ProvideSchedule.Entry) async {
        let replication = self.configuration.lookup.replication
        let wanted = replication * 2
        var places = [entry.place]
        do {
            let lookup = try await self.lookUp(entry.place, asking: Self.closestQuestion(entry.key), wanted: wanted)
            let peers = lookup.closest(wanted)
            guard !peers.isEmpty else { throw KademliaError(.noPeers, "no node has answered") }
            let prefixLength = ProvideAssignment.prefixLength(around: entry.place, found: peers, wanted: wanted)
            let region = self.schedule.withLock {
                $0.region(around: entry.place, prefixLength: prefixLength, limit: Self.maximumRegionCount, now: .now)
            }
            places = region.map(\.place)
            let announcements = try region.map { try self.announcement(of: $0.key, lifetime: $0.lifetime) }
            self.keepHere(announcements)
            let stored = await self.distribute(announcements, at: places, among: peers, replication: replication)
            try Task.checkCancellation()
            let (good, bad) = (places.indices.filter { stored[$0] > 0 }, places.indices.filter { stored[$0] == 0 })
            self.schedule.withLock { schedule in
                schedule.provided(good.map { places[$0] }, now: .now)
                schedule.failed(bad.map { places[$0] }, now: .now)
            }
        } catch {
            self.schedule.withLock { $0.failed(places, now: .now) }
            self.logger.debug("keys not provided", metadata: ["dig.kademlia.error": "\(error)", "dig.kademlia.keys": "\(places.count)"])
        }
    }

    /// - Returns: For each announcement, how many nodes have it.
    private func distribute(
        _ announcements: [KademliaMessage], at places: [KademliaKey], among peers: [KademliaPeer], replication: Int
    ) async -> [Int] {
        let assigned = ProvideAssignment.assign(places, to: peers, replication: replication)
        var stored = Array(repeating: 0, count: announcements.count)
        await withTaskGroup(of: (Int, [Bool]).self) { group in
            var waiting = peers.indices.filter { !assigned[$0].isEmpty }[...]
            func addNext() {
                guard let index = waiting.popFirst() else { return }
                let (own, peer) = (assigned[index].map { announcements[$0] }, peers[index])
                group.addTask { (index, await self.send(own, to: peer)) }
            }
            for _ in 0..<max(1, self.configuration.provideParallelism) { addNext() }
            while let (index, isStored) = await group.next() {
                let count = UInt64(isStored.count(where: { $0 }))
                self.count {
                    $0.recordsProvided += count
                    $0.recordsNotProvided += UInt64(isStored.count) - count
                }
                for (position, isThere) in zip(assigned[index], isStored) where isThere { stored[position] += 1 }
                addNext()
            }
        }
        return stored
    }
}
