import DIGAnnouncement
import DIGAvailability
import DIGContent
import DIGDiscovery
import DIGIdentity
import DIGLocalDiscovery
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTransfer
import Synchronization

/// Finds holders and keeps connections to them: the peers of a link, whom discovery finds, and whoever on the local network, or already connected,
/// says that it has the content.
///
/// Runs until it is cancelled, or everybody was asked and nobody else can come. A connection that ends is dialed again, ever more slowly, at
/// the addresses announced last. Who lacks the content is asked again after a while, see ``HolderCandidates``; in which order they are asked, and who is left out,
/// says ``HolderQueue``. The peers of the link are tried in any case.
final class HolderDialer: Sendable {
    /// Ours: how long a doubtful holder waits for a better one to be found.
    private static let doubtPatience: Duration = .seconds(3)
    /// How long the local network has for an answer once every peer of the link has failed: the budget of layer 0.
    static let localGrace: Duration = .seconds(3)

    private enum Event: Sendable {
        case announced(DiscoveredPeer)
        case found(DiscoveredHolder)
        case restEnded(PeerID)
        /// What is thought of the peer has changed.
        case judged(PeerID)
        /// A first attempt is over, or a holder is gone: there is room for another.
        case tried
    }

    private let network: NetworkManager
    private let link: [Multiaddr]
    /// What a local peer must say before it counts. Nil: connecting is enough.
    private let question: @Sendable (any Connection) async throws -> Bool
    private let found: @Sendable (any Connection) async -> Void
    /// A direct connection takes the place of a relayed one.
    private let moved: @Sendable (_ from: any Connection, _ to: any Connection) -> Void
    private let localPeers: AsyncStream<DiscoveredPeer>?
    /// Under what discovery looks. Nil: it is not asked.
    private let key: RendezvousKey?
    /// The ways of discovery that are asked, beside the local network.
    private let sources: Set<DiscoverySource>
    private let asksConnectedPeers: Bool
    private let believesLink: Bool
    /// Who is believed to have it. Nil: everybody.
    private let meetings: HolderMeetings?
    /// Whether doubtful holders are left alone while somebody delivers.
    private let sparesDoubtful: Bool
    private let candidates: Mutex<HolderCandidates>
    private let events = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingNewest(2 * HolderCandidates.maximumCount))
    private let outcomes = Mutex(SearchLog())
    private let progress: Mutex<SearchProgress>
    /// The progress has changed.
    private let changes = EventBroadcast<Void>(bufferCount: 1)
    private let places = Mutex(DialPlaces())
    private let start = ContinuousClock.now

    /// - Parameters:
    ///   - link: Addresses with peer ids.
    ///   - key: What discovery looks for, beside the local network. Nil: nothing.
    ///   - believesLink: Whether the peers of the link are taken at their word, and not asked.
    ///   - localPeers: Who announces itself on the local network. Nil: the network's own discovery, if it has any.
    ///   - asksConnectedPeers: Whether peers that are connected already are asked too, once.
    ///   - meetings: Whom to leave out, and what to tell of those who are met. Nil: nobody, nothing.
    ///   - sparesDoubtful: Whether doubtful holders are asked only when nothing better is left. Otherwise they are asked last.
    ///   - restIntervals: See ``HolderCandidates/restIntervals``.
    ///   - question: Whether a peer is one to use.
    ///   - found: Called for every connection to a holder, again after each reconnect.
    ///   - moved: Called when a direct connection to a holder takes the place of a relayed one.
    init(
        network: NetworkManager, link: [Multiaddr], key: RendezvousKey? = nil, localPeers: AsyncStream<DiscoveredPeer>? = nil, asksConnectedPeers: Bool = false,
        believesLink: Bool = true, meetings: HolderMeetings? = nil, sparesDoubtful: Bool = true, restIntervals: [Duration] = HolderCandidates.restIntervals,
        question: @escaping @Sendable (any Connection) async throws -> Bool, found: @escaping @Sendable (any Connection) async -> Void,
        moved: @escaping @Sendable (_ from: any Connection, _ to: any Connection) -> Void = { _, _ in }
    ) {
        self.network = network
        self.link = link
        self.localPeers = localPeers ?? network.localDiscovery?.findPeers()
        self.key = key
        self.asksConnectedPeers = asksConnectedPeers
        self.believesLink = believesLink
        self.meetings = meetings
        self.sparesDoubtful = sparesDoubtful
        self.candidates = Mutex(HolderCandidates(restIntervals: restIntervals))
        self.question = question
        self.found = found
        self.moved = moved
        self.sources = key == nil ? [] : Set(network.discovery.manager.sources).subtracting([.local])
        self.progress = Mutex(SearchProgress(link: link, sources: self.sources))
    }

    /// As above, for who says that it holds `hash`.
    ///
    /// - Parameter believesLink: Whether the peers of the link are taken at their word, and not asked.
    convenience init(
        network: NetworkManager, link: [Multiaddr], holding hash: ContentHash, asksConnectedPeers: Bool = false, believesLink: Bool = true, sparesDoubtful: Bool = true,
        found: @escaping @Sendable (any Connection) async -> Void,
        moved: @escaping @Sendable (_ from: any Connection, _ to: any Connection) -> Void = { _, _ in }
    ) {
        let meetings = HolderMeetings(hash, in: network.nodeAvailability)
        let question: @Sendable (any Connection) async throws -> Bool = { connection in
            do {
                switch try await network.access.description(of: hash, on: connection) {
                case .file, .folder: return true
                case .notHeld: meetings.lacked(connection.remotePeer)
                case .refused: break
                }
                return false
            } catch where NodeAccess.isRefusal(error) {
                // It is there, and not for this node: asked again when others are that lack it.
                throw NodeError(.notFound, "\(error)")
            } catch let error as TransferError {
                meetings.failed(connection.remotePeer, error)
                throw error
            }
        }
        self.init(
            network: network, link: link, key: RendezvousKey(hash), asksConnectedPeers: asksConnectedPeers, believesLink: believesLink, meetings: meetings,
            sparesDoubtful: sparesDoubtful, question: question, found: found, moved: moved)
    }

    // MARK: How far it is

    /// What has been tried so far.
    var log: SearchLog { self.outcomes.withLock { $0 } }

    /// Whether discovery has other ways than the local network.
    var asksDiscovery: Bool { !self.sources.isEmpty }

    /// Whether every peer of the link has been tried once.
    var isLinkExhausted: Bool { self.progress.withLock { $0.isLinkExhausted } }

    /// Whether everybody of the link was tried, and everybody who was tried is one of `peers`, lacks the content, or is left out: there is nobody to wait for.
    func knowsNobody(besides peers: Set<PeerID>) -> Bool { self.isLinkExhausted && self.log.hasNobody(besides: peers) }

    /// Whether nobody can come any more.
    var isOver: Bool { self.isLinkExhausted && self.network.localDiscovery == nil && !self.asksDiscovery }

    /// Returns when every mechanism of discovery has answered once, and everybody it named has been asked. At once if discovery is not asked.
    func discoveryIsExhausted() async { await self.hasProgressed { $0.isDiscoveryExhausted } }

    /// Returns when nobody is left who could be asked; not before the task is cancelled where only the local network could have an answer.
    func everybodyWasAsked() async {
        let start = ContinuousClock.now
        if !self.link.isEmpty {
            await self.hasProgressed { $0.isLinkExhausted }
        } else if !self.asksDiscovery {
            // Ends when it is cancelled.
            try? await Task.sleep(for: .seconds(86_400))
        }
        await self.discoveryIsExhausted()
        guard self.network.localDiscovery != nil else { return }
        // Ends early only when it is cancelled.
        try? await Task.sleep(until: start + Self.localGrace, clock: .continuous)
        // Whom it has found meanwhile.
        await self.discoveryIsExhausted()
    }

    private func hasProgressed(_ isFar: (SearchProgress) -> Bool) async {
        let changes = self.changes.subscribe()
        if self.progress.withLock({ isFar($0) }) { return }
        for await _ in changes where self.progress.withLock({ isFar($0) }) { return }
    }

    private func progress(_ change: (inout SearchProgress) -> Void) {
        self.progress.withLock { change(&$0) }
        self.changes.emit(())
    }

    /// Whether anybody delivers to the transfer that uses this search: as long as nobody does, doubtful holders are asked, too.
    func delivering(_ isDelivering: Bool) {
        if self.places.withLock({ $0.delivering(isDelivering) }) { self.events.continuation.yield(.tried) }
    }

    // MARK: Running

    /// Runs the search for as long as `body`.
    func running<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.run() }
            defer { group.cancelAll() }
            return try await body()
        }
    }

    func run() async {
        await withDiscardingTaskGroup { group in
            var addresses: [PeerID: [Multiaddr]] = [:]
            var withoutPeer: Set<Multiaddr> = []
            for address in self.link {
                if let peer = address.peerID { addresses[peer, default: []].append(address) } else { withoutPeer.insert(address) }
            }
            for (peer, addresses) in addresses {
                group.addTask {
                    await self.keep("\(peer)", tried: { self.progress { $0.linkTried() } }) { try await self.checked(self.network.connect(to: peer, addresses: addresses)) }
                }
            }
            for address in withoutPeer {
                group.addTask {
                    await self.keep("\(address)", tried: { self.progress { $0.linkTried() } }) { try await self.checked(self.network.swarm.connect(to: address)) }
                }
            }
            let known = Set(addresses.keys)
            if self.asksConnectedPeers {
                // Not over a path that is there for signaling only.
                for connection in self.network.swarm.connections where !known.contains(connection.remotePeer) && self.network.traversal.serves(connection) {
                    if let reason = self.meetings?.reasonToLeaveOut(connection.remotePeer) {
                        self.note("\(connection.remotePeer)", .leftOut(reason))
                    } else {
                        group.addTask { await self.ask(connection) }
                    }
                }
            }
            let open = Mutex((self.localPeers == nil ? 0 : 1) + (self.asksDiscovery ? 1 : 0))
            guard open.withLock({ $0 > 0 }) else { return }
            let end: @Sendable () -> Void = {
                // Nobody else will be heard of; who rests is not asked again.
                if open.withLock({ count in count -= 1; return count == 0 }) { self.events.continuation.finish() }
            }
            if let localPeers = self.localPeers {
                group.addTask {
                    for await peer in localPeers where !known.contains(peer.peer) { self.events.continuation.yield(.announced(peer)) }
                    end()
                }
            }
            if self.asksDiscovery, let key = self.key {
                group.addTask {
                    await self.listen(to: key, except: known)
                    end()
                }
            }
            // Owned by this function: they go on until they are cancelled.
            let reminders = self.remind()
            defer { for reminder in reminders { reminder.cancel() } }
            var queue = HolderQueue()
            for await event in self.events.stream {
                self.take(event, into: &queue)
                while let peer = self.nextCandidate(&queue) { group.addTask { await self.askCandidate(peer) } }
            }
            for candidate in self.ranked(queue.waiting) { group.addTask { await self.askCandidate(candidate.peer) } }
        }
    }

    // MARK: In which order

    /// Says when the queue is to be looked at again.
    private func remind() -> [Task<Void, Never>] {
        guard let meetings = self.meetings else { return [] }
        let (changes, events) = (meetings.changes, self.events.continuation)
        return [
            Task { for await peer in changes { events.yield(.judged(peer)) } },
            Task {
                // Cancelled: the search is over.
                do { try await Task.sleep(for: Self.doubtPatience) } catch { return }
                events.yield(.tried)
            },
        ]
    }

    private func take(_ event: Event, into queue: inout HolderQueue) {
        if case .judged(let peer) = event {
            guard queue.judged(peer, isUsable: self.meetings?.reasonToLeaveOut(peer) == nil) else { return }
            self.candidates.withLock { $0.isBack(peer) }
            return self.progress { $0.askingBegins() }
        }
        if let peer = self.received(event), queue.add(peer) { self.progress { $0.askingBegins() } }
        // It was counted when it was found, so that nobody takes the search for exhausted meanwhile.
        if case .found = event { self.progress { $0.askingEnds() } }
    }

    /// Takes one of the places for first attempts, if there is one and somebody for it.
    private func nextCandidate(_ queue: inout HolderQueue) -> PeerID? {
        guard !queue.waiting.isEmpty else { return nil }
        let ranked = self.ranked(queue.waiting)
        for peer in queue.leaveOut(except: ranked) {
            self.note("\(peer)", .leftOut(self.meetings?.reasonToLeaveOut(peer) ?? "it is not believed"))
            // Forgotten before others, should there be too many.
            _ = self.candidates.withLock { $0.lacked(peer, now: .now) }
            self.progress { $0.askingEnds() }
        }
        let isLiteral = self.network.configuration.strictWhitepaper
        guard self.places.withLock({ $0.hasRoom }), let peer = queue.next(ranked, hasBetter: self.hasBetter, isLiteral: isLiteral) else { return nil }
        let isDoubtful = ranked.first { $0.peer == peer }.map { HolderRanking.isDoubtful($0, isLiteral: isLiteral) } ?? false
        self.places.withLock { $0.take(peer, isDoubtful: isDoubtful) }
        return peer
    }

    private func ranked(_ peers: [PeerID]) -> [HolderCandidate] {
        guard let meetings = self.meetings else { return peers.map { HolderCandidate($0) } }
        let near = self.candidates.withLock { candidates in Set(peers.filter { candidates.isNear($0) }) }
        return meetings.rank(peers) { near.contains($0) }
    }

    /// Whether something is left that is better than a doubtful holder.
    private var hasBetter: Bool {
        let (triesUndoubted, hasDelivery) = self.places.withLock { ($0.triesUndoubted, $0.hasDelivery) }
        if triesUndoubted { return true }
        guard self.sparesDoubtful else { return false }
        if hasDelivery { return true }
        return self.progress.withLock { !$0.hasAnswers || !$0.isLinkExhausted } && .now < self.start + Self.doubtPatience
    }

    /// Hands on what discovery finds.
    private func listen(to key: RendezvousKey, except known: Set<PeerID>) async {
        let manager = self.network.discovery.manager
        await withDiscardingTaskGroup { group in
            // Gossip goes on listening: it has what it has heard before, which it tells at once.
            group.addTask {
                do { try await Task.sleep(for: manager.configuration.listeningTime) } catch { return }
                self.progress { $0.answered(.gossip) }
            }
            for await event in manager.find(key, options: .init(until: .cancelled, sources: self.sources)) {
                switch event {
                case .found(let holder) where !known.contains(holder.peer):
                    self.meetings?.heard(holder)
                    self.progress { $0.askingBegins() }
                    self.events.continuation.yield(.found(holder))
                case .found: break
                case .ended(let source, let outcome, _):
                    if case .failed(let reason) = outcome { self.outcomes.withLock { $0.note(source, isSilent: reason) } }
                    self.progress { $0.answered(source) }
                }
            }
            group.cancelAll()
        }
    }

    /// A peer of the link.
    private func checked(_ connection: any Connection) async throws -> any Connection {
        if self.believesLink { return connection }
        guard try await self.question(connection) else { throw NodeError(.notFound, "does not have it") }
        return connection
    }

    /// Returns whom to ask.
    private func received(_ event: Event) -> PeerID? {
        self.candidates.withLock { candidates in
            switch event {
            case .announced(let peer) where peer.addresses.isEmpty:
                candidates.left(peer.peer)
                return nil
            case .announced(let peer): return candidates.announced(peer.peer, at: peer.addresses, now: .now) ? peer.peer : nil
            case .found(let holder): return candidates.heard(holder.peer, at: holder.addresses, now: .now) ? holder.peer : nil
            case .restEnded(let peer): return candidates.restEnded(peer, now: .now) ? peer : nil
            case .judged, .tried: return nil
            }
        }
    }

    /// Asks a peer that is connected already, once.
    private func ask(_ connection: any Connection) async {
        let name = "\(connection.remotePeer)"
        do {
            guard try await self.question(connection) else { return self.note(name, .lacks()) }
            self.note(name, .connected)
            await self.found(connection)
        } catch {
            self.note(name, .init(error))
        }
    }

    /// Asks a peer and stays with it while it holds the content; after that it rests.
    private func askCandidate(_ peer: PeerID) async {
        let hasPlace = Mutex(true)
        // Whoever is there must not wait for the further attempts of those who are not.
        let leavePlace: @Sendable () -> Void = {
            guard hasPlace.withLock({ hasPlace in defer { hasPlace = false }; return hasPlace }) else { return }
            self.places.withLock { $0.leave(peer) }
            self.events.continuation.yield(.tried)
        }
        defer { leavePlace() }
        // One that is elsewhere may be reached a moment later: by then this node knows more of its own network.
        let isNear = self.candidates.withLock { $0.isNear(peer) }
        let end = await self.keep("\(peer)", tried: { self.progress { $0.askingEnds() } }, isTriedOnce: isNear, triesOn: { self.candidates.withLock { $0.unreachable(peer) } }) {
            defer { leavePlace() }
            var (addresses, source) = self.candidates.withLock { $0.addresses(of: peer) }
            if addresses.isEmpty { addresses = await self.network.discovery.addresses(of: peer) }
            if self.network.configuration.discovery.allowsPrivateAddresses { source = .user }
            let connection = try await self.network.traversal.connect(to: peer, addresses: addresses, source: source).connection
            guard try await self.question(connection) else { throw NodeError(.notFound, "does not have it") }
            self.candidates.withLock { $0.held(peer) }
            return connection
        }
        if case .givenUp = end { self.meetings?.unreachable(peer) }
        let deadline = self.candidates.withLock { candidates in
            switch end {
            case .lacks: candidates.lacked(peer, now: .now)
            case .givenUp: candidates.givenUp(peer, now: .now)
            case .cancelled: nil as HolderCandidates.Instant?
            }
        }
        guard let deadline else { return }
        do {
            try await Task.sleep(until: deadline, clock: .continuous)
            self.events.continuation.yield(.restEnded(peer))
        } catch {
            // The search is over.
        }
    }

    /// Stays with a holder, hands on its connections, and writes down what becomes of it.
    ///
    /// - Parameters:
    ///   - tried: Called once: when the first attempt is over, or, unless `isTriedOnce`, when one has succeeded or none follows.
    ///   - triesOn: Whether to connect again after it failed.
    @discardableResult
    private func keep(
        _ name: String, tried: @escaping @Sendable () -> Void, isTriedOnce: Bool = true, triesOn: @Sendable () -> Bool = { true },
        connect: @Sendable () async throws -> any Connection
    ) async -> HolderKeeper.End {
        let isFirst = Mutex(true)
        let triedOnce: @Sendable () -> Void = {
            if isFirst.withLock({ isFirst in defer { isFirst = false }; return isFirst }) { tried() }
        }
        defer { triedOnce() }
        return await HolderKeeper(swarm: self.network.swarm).run(triesOn: triesOn, connect: connect) { event in
            switch event {
            case .connected(let connection):
                self.note(name, .connected)
                self.meetings?.connected(connection.remotePeer)
                self.places.withLock { $0.holderCame() }
                await self.found(connection)
                triedOnce()
            case .moved(let relayed, let direct):
                self.note(name, .connectedDirectly)
                self.moved(relayed, direct)
            case .disconnected:
                self.note(name, .disconnected)
                self.places.withLock { $0.holderWent() }
                self.events.continuation.yield(.tried)
            case .failed(let error):
                self.note(name, .init(error))
                if isTriedOnce { triedOnce() }
            }
        }
    }

    private func note(_ name: String, _ outcome: SearchLog.Outcome) { self.outcomes.withLock { $0.note(name, outcome) } }
}
