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
import NIOCore
import Synchronization

/// Finds holders and keeps connections to them: the peers of a link, whom discovery finds, and whoever on the local network, or already connected,
/// says that it has the content.
///
/// Runs until it is cancelled, or everybody was asked and nobody else can come. A connection that ends is dialed again, ever more slowly, at
/// the addresses announced last. Who lacks the content is asked again after a while, see ``HolderCandidates``; in which order they are asked, and who is left out,
/// says ``HolderQueue``. The peers of the link are tried in any case.
final class HolderDialer: Sendable {
    /// What came of trying one peer, for the error if nobody delivers.
    struct Attempt: Sendable {
        var peer: String
        var outcome: String
    }

    private static let redialIntervals: [Duration] = [.milliseconds(500), .seconds(1), .seconds(2), .seconds(5), .seconds(10)]
    /// Peers tried for the first time at once: whoever makes up holders must not make this node dial hundreds at a time.
    private static let maximumDialCount = 16
    /// Ours: how long a doubtful holder waits for a better one to be found.
    private static let doubtPatience: Duration = .seconds(3)
    /// Outcomes kept for the error.
    private static let maximumAttemptCount = 256

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
    private let asksConnectedPeers: Bool
    private let believesLink: Bool
    /// Who is believed to have it. Nil: everybody.
    private let meetings: HolderMeetings?
    /// Whether doubtful holders are left alone while somebody delivers.
    private let sparesDoubtful: Bool
    private let candidates: Mutex<HolderCandidates>
    private let events = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingNewest(2 * HolderCandidates.maximumCount))
    private let attempts = Mutex<[String: String]>([:])
    /// Ways of discovery that had nobody to ask, and why.
    private let silent = Mutex<[DiscoverySource: String]>([:])
    /// Peers of the link not tried yet.
    private let untriedCount: Mutex<Int>
    private let exhaustion = AsyncStream.makeStream(of: Void.self)
    /// Whether every mechanism of discovery has answered once, and how many candidates are being asked for the first time.
    private let progress = Mutex((hasAnswers: false, askingCount: 0))
    private let changes = EventBroadcast<Void>(bufferCount: 1)
    /// First attempts under way, and whether each is at a doubtful holder.
    private let dialing = Mutex<[PeerID: Bool]>([:])
    /// Holders that are connected, and whether they deliver, as far as is known.
    private let holding = Mutex((count: 0, isStarving: false))
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
        // An address and a peer each count at most once.
        var names = Set<String>()
        for address in link { names.insert(address.peerID?.description ?? address.description) }
        self.untriedCount = Mutex(names.count)
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

    static func list(_ attempts: [Attempt]) -> String {
        attempts.sorted { $0.peer < $1.peer }.map { "\n  \($0.peer): \($0.outcome)" }.joined()
    }

    /// The ways of discovery that could not be asked, one to a line.
    var silence: String {
        self.silent.withLock { $0 }.sorted { $0.key < $1.key }.map { "\n  \($0.key): \($0.value)" }.joined()
    }

    /// What has been tried so far, in no particular order.
    var log: [Attempt] {
        self.attempts.withLock { $0.map { Attempt(peer: $0.key, outcome: $0.value) } }
    }

    /// Returns when every peer of the link has been tried once; never if the link names none.
    func linkIsExhausted() async {
        for await _ in self.exhaustion.stream {}
    }

    /// Returns when every mechanism of discovery has answered once, and everybody it named has been asked. At once if discovery is not asked.
    func discoveryIsExhausted() async {
        guard self.asksDiscovery else { return }
        let changes = self.changes.subscribe()
        func isExhausted() -> Bool { self.progress.withLock { $0.hasAnswers && $0.askingCount == 0 } }
        if isExhausted() { return }
        for await _ in changes where isExhausted() { return }
    }

    /// Whether discovery has other ways than the local network.
    var asksDiscovery: Bool { self.key != nil && self.network.discovery.manager.sources.contains { $0 != .local } }

    /// Whether every peer of the link has been tried once.
    var isLinkExhausted: Bool { self.untriedCount.withLock { $0 <= 0 } }

    /// Whether everybody of the link was tried, and everybody who was tried is one of `peers`, lacks the content, or is left out: there is nobody to wait for.
    func knowsNobody(besides peers: Set<PeerID>) -> Bool {
        guard self.isLinkExhausted else { return false }
        let names = Set(peers.map(\.description))
        return self.log.allSatisfy { names.contains($0.peer) || $0.outcome == Self.lacksIt || $0.outcome.hasPrefix(Self.leftOut) }
    }

    private static let lacksIt = "connected, does not have it"
    private static let leftOut = "left out"

    /// Whether nobody can come any more.
    var isOver: Bool { self.isLinkExhausted && self.network.localDiscovery == nil && !self.asksDiscovery }

    /// Whether anybody delivers to the transfer that uses this search: as long as nobody does, doubtful holders are asked, too.
    func delivering(_ isDelivering: Bool) {
        let isNews = self.holding.withLock { holding in
            defer { holding.isStarving = !isDelivering }
            return holding.isStarving == isDelivering
        }
        if isNews { self.events.continuation.yield(.tried) }
    }

    private func tried() {
        let left = self.untriedCount.withLock { count in
            count -= 1
            return count
        }
        if left == 0 { self.exhaustion.continuation.finish() }
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
                    await self.keep("\(peer)", tried: self.tried) { try await self.checked(self.network.connect(to: peer, addresses: addresses)) }
                }
            }
            for address in withoutPeer {
                group.addTask {
                    await self.keep("\(address)", tried: self.tried) { try await self.checked(self.network.swarm.connect(to: address)) }
                }
            }
            let known = Set(addresses.keys)
            if self.asksConnectedPeers {
                for connection in self.network.swarm.connections where !known.contains(connection.remotePeer) {
                    if let reason = self.meetings?.reasonToLeaveOut(connection.remotePeer) {
                        self.note("\(connection.remotePeer)", reason)
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
            return self.asking(+1)
        }
        if let peer = self.received(event), queue.add(peer) { self.asking(+1) }
        // It was counted when it was found, so that nobody takes the search for exhausted meanwhile.
        if case .found = event { self.asking(-1) }
    }

    /// Takes one of the places for first attempts, if there is one and somebody for it.
    private func nextCandidate(_ queue: inout HolderQueue) -> PeerID? {
        guard !queue.waiting.isEmpty else { return nil }
        let ranked = self.ranked(queue.waiting)
        for peer in queue.leaveOut(except: ranked) {
            self.note("\(peer)", self.meetings?.reasonToLeaveOut(peer) ?? Self.leftOut)
            // Forgotten before others, should there be too many.
            _ = self.candidates.withLock { $0.lacked(peer, now: .now) }
            self.asking(-1)
        }
        let isLiteral = self.network.configuration.strictWhitepaper
        guard self.dialing.withLock({ $0.count < Self.maximumDialCount }), let peer = queue.next(ranked, hasBetter: self.hasBetter, isLiteral: isLiteral) else { return nil }
        let isDoubtful = ranked.first { $0.peer == peer }.map { HolderRanking.isDoubtful($0, isLiteral: isLiteral) } ?? false
        self.dialing.withLock { $0[peer] = isDoubtful }
        return peer
    }

    private func ranked(_ peers: [PeerID]) -> [HolderCandidate] {
        guard let meetings = self.meetings else { return peers.map { HolderCandidate($0) } }
        let near = self.candidates.withLock { candidates in Set(peers.filter { candidates.isNear($0) }) }
        return meetings.rank(peers) { near.contains($0) }
    }

    /// Whether something is left that is better than a doubtful holder.
    private var hasBetter: Bool {
        if self.dialing.withLock({ $0.values.contains(false) }) { return true }
        guard self.sparesDoubtful else { return false }
        if self.holding.withLock({ $0.count > 0 && !$0.isStarving }) { return true }
        let isSearching = self.asksDiscovery && !self.progress.withLock { $0.hasAnswers }
        return (isSearching || !self.isLinkExhausted) && .now < self.start + Self.doubtPatience
    }

    /// Hands on what discovery finds.
    private func listen(to key: RendezvousKey, except known: Set<PeerID>) async {
        let manager = self.network.discovery.manager
        let sources = Set(manager.sources).subtracting([.local])
        let waiting = Mutex(sources)
        let answered: @Sendable (DiscoverySource) -> Void = { source in
            let isLast = waiting.withLock { waiting in
                waiting.remove(source) != nil && waiting.isEmpty
            }
            guard isLast else { return }
            self.progress.withLock { $0.hasAnswers = true }
            self.changes.emit(())
        }
        await withDiscardingTaskGroup { group in
            // Gossip goes on listening: it has what it has heard before, which it tells at once.
            group.addTask {
                do { try await Task.sleep(for: manager.configuration.listeningTime) } catch { return }
                answered(.gossip)
            }
            for await event in manager.find(key, options: .init(until: .cancelled, sources: sources)) {
                switch event {
                case .found(let holder) where !known.contains(holder.peer):
                    self.meetings?.heard(holder)
                    self.asking(+1)
                    self.events.continuation.yield(.found(holder))
                case .found: break
                case .ended(let source, let outcome, _):
                    if case .failed(let reason) = outcome { self.silent.withLock { $0[source] = reason } }
                    answered(source)
                }
            }
            group.cancelAll()
        }
    }

    private func asking(_ change: Int) {
        self.progress.withLock { $0.askingCount += change }
        self.changes.emit(())
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
            guard try await self.question(connection) else { return self.note(name, Self.lacksIt) }
            self.note(name, "connected")
            await self.found(connection)
        } catch {
            self.note(name, "\(error)")
        }
    }

    /// Asks a peer and stays with it while it holds the content; after that it rests.
    private func askCandidate(_ peer: PeerID) async {
        let hasPlace = Mutex(true)
        // Whoever is there must not wait for the further attempts of those who are not.
        let leavePlace: @Sendable () -> Void = {
            guard hasPlace.withLock({ hasPlace in defer { hasPlace = false }; return hasPlace }) else { return }
            self.dialing.withLock { $0[peer] = nil }
            self.events.continuation.yield(.tried)
        }
        defer { leavePlace() }
        // One that is elsewhere may be reached a moment later: by then this node knows more of its own network.
        let isNear = self.candidates.withLock { $0.isNear(peer) }
        let end = await self.keep("\(peer)", tried: { self.asking(-1) }, isTriedOnce: isNear, triesOn: { self.candidates.withLock { $0.unreachable(peer) } }) {
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

    private enum End {
        /// The peer was asked and has it not.
        case lacks
        case givenUp, cancelled
    }

    /// Connects, reports, waits until the connection ends, and begins again.
    ///
    /// - Parameters:
    ///   - tried: Called once: when the first attempt is over, or, unless `isTriedOnce`, when one has succeeded or none follows.
    ///   - triesOn: Whether to connect again after it failed.
    @discardableResult
    private func keep(
        _ name: String, tried: @Sendable () -> Void, isTriedOnce: Bool = true, triesOn: @Sendable () -> Bool = { true }, connect: @Sendable () async throws -> any Connection
    ) async -> End {
        var failures = 0
        var isFirst = true
        defer { if isFirst { tried() } }
        while !Task.isCancelled {
            do {
                let connection = try await connect()
                self.network.swarm.protect(connection.remotePeer, tag: "fetch")
                self.note(name, "connected")
                self.meetings?.connected(connection.remotePeer)
                self.holding.withLock { $0.count += 1 }
                await self.found(connection)
                if isFirst {
                    tried()
                    isFirst = false
                }
                failures = 0
                var current = connection
                while let better = await self.betterConnection(than: current) {
                    self.note(name, "connected directly")
                    self.moved(current, better)
                    current = better
                }
                self.network.swarm.unprotect(connection.remotePeer, tag: "fetch")
                self.note(name, "disconnected")
                self.holding.withLock { $0.count -= 1 }
                self.events.continuation.yield(.tried)
            } catch {
                self.note(name, "\(error)")
                if isFirst, isTriedOnce {
                    tried()
                    isFirst = false
                }
                if let error = error as? NodeError, error.code == .notFound { return .lacks }
                guard triesOn() else { return .givenUp }
            }
            do {
                try await Task.sleep(for: Self.redialIntervals[min(failures, Self.redialIntervals.count - 1)])
            } catch {
                return .cancelled
            }
            failures += 1
        }
        return .cancelled
    }

    /// Waits for a direct connection that takes the place of a relayed one. Nil when `connection` is closed, and at once if the task is
    /// cancelled: the connection may outlive this search.
    private func betterConnection(than connection: any Connection) async -> (any Connection)? {
        let (stream, continuation) = AsyncStream.makeStream(of: (any Connection).self)
        connection.closeFuture.whenComplete { _ in continuation.finish() }
        guard connection.isRelayed else {
            for await _ in stream {}
            return nil
        }
        let events = self.network.swarm.events
        if let current = self.network.swarm.connection(to: connection.remotePeer), !current.isRelayed { return current }
        let watch = Task {
            for await case .upgraded(let better) in events where better.remotePeer == connection.remotePeer && !better.isRelayed {
                continuation.yield(better)
            }
        }
        defer { watch.cancel() }
        for await better in stream { return better }
        // Closed because the better one was there, perhaps before its event was read.
        return self.network.swarm.connection(to: connection.remotePeer).flatMap { $0.isRelayed || Task.isCancelled ? nil : $0 }
    }

    private func note(_ name: String, _ outcome: String) {
        self.attempts.withLock { attempts in
            guard attempts[name] != nil || attempts.count < Self.maximumAttemptCount else { return }
            attempts[name] = outcome
        }
    }
}
