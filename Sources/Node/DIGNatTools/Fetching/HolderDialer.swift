import DIGContent
import DIGIdentity
import DIGLocalDiscovery
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTransfer
import NIOCore
import Synchronization

/// Finds holders and keeps connections to them: the peers of a link, and whoever on the local network, or already connected, says that it
/// has the content.
///
/// Runs until it is cancelled, or everybody was asked and nobody else can come. A connection that ends is dialed again, ever more slowly, at
/// the addresses announced last. Who lacks the content is asked again after a while, see ``LocalCandidates``.
final class HolderSearch: Sendable {
    /// What came of trying one peer, for the error if nobody delivers.
    struct Attempt: Sendable {
        var peer: String
        var outcome: String
    }

    private static let redialIntervals: [Duration] = [.milliseconds(500), .seconds(1), .seconds(2), .seconds(5), .seconds(10)]
    /// Outcomes kept for the error.
    private static let maximumAttemptCount = 256

    private enum Event: Sendable {
        case heard(DiscoveredPeer)
        case restEnded(PeerID)
    }

    private let network: NetworkManager
    private let link: [Multiaddr]
    /// What a local peer must say before it counts. Nil: connecting is enough.
    private let question: @Sendable (any Connection) async throws -> Bool
    private let found: @Sendable (any Connection) async -> Void
    /// A direct connection takes the place of a relayed one.
    private let moved: @Sendable (_ from: any Connection, _ to: any Connection) -> Void
    private let localPeers: AsyncStream<DiscoveredPeer>?
    private let asksConnectedPeers: Bool
    private let believesLink: Bool
    private let candidates: Mutex<LocalCandidates>
    private let events = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingNewest(2 * LocalCandidates.maximumCount))
    private let attempts = Mutex<[String: String]>([:])
    /// Peers of the link not tried yet.
    private let untriedCount: Mutex<Int>
    private let exhaustion = AsyncStream.makeStream(of: Void.self)

    /// - Parameters:
    ///   - link: Addresses with peer ids.
    ///   - believesLink: Whether the peers of the link are taken at their word, and not asked.
    ///   - localPeers: Who announces itself on the local network. Nil: the network's own discovery, if it has any.
    ///   - asksConnectedPeers: Whether peers that are connected already are asked too, once.
    ///   - restIntervals: See ``LocalCandidates/restIntervals``.
    ///   - question: Whether a peer is one to use.
    ///   - found: Called for every connection to a holder, again after each reconnect.
    ///   - moved: Called when a direct connection to a holder takes the place of a relayed one.
    init(
        network: NetworkManager, link: [Multiaddr], localPeers: AsyncStream<DiscoveredPeer>? = nil, asksConnectedPeers: Bool = false,
        believesLink: Bool = true, restIntervals: [Duration] = LocalCandidates.restIntervals, question: @escaping @Sendable (any Connection) async throws -> Bool,
        found: @escaping @Sendable (any Connection) async -> Void,
        moved: @escaping @Sendable (_ from: any Connection, _ to: any Connection) -> Void = { _, _ in }
    ) {
        self.network = network
        self.link = link
        self.localPeers = localPeers ?? network.localDiscovery?.findPeers()
        self.asksConnectedPeers = asksConnectedPeers
        self.believesLink = believesLink
        self.candidates = Mutex(LocalCandidates(restIntervals: restIntervals))
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
        network: NetworkManager, link: [Multiaddr], holding hash: ContentHash, asksConnectedPeers: Bool = false, believesLink: Bool = true,
        found: @escaping @Sendable (any Connection) async -> Void,
        moved: @escaping @Sendable (_ from: any Connection, _ to: any Connection) -> Void = { _, _ in }
    ) {
        let question: @Sendable (any Connection) async throws -> Bool = { connection in
            switch try await TransferQuery(to: connection).description(of: hash) {
            case .file, .folder: true
            case .notHeld, .refused: false
            }
        }
        self.init(
            network: network, link: link, asksConnectedPeers: asksConnectedPeers, believesLink: believesLink, question: question, found: found, moved: moved)
    }

    static func list(_ attempts: [Attempt]) -> String {
        attempts.sorted { $0.peer < $1.peer }.map { "\n  \($0.peer): \($0.outcome)" }.joined()
    }

    /// What has been tried so far, in no particular order.
    var log: [Attempt] {
        self.attempts.withLock { $0.map { Attempt(peer: $0.key, outcome: $0.value) } }
    }

    /// Returns when every peer of the link has been tried once; never if the link names none.
    func linkIsExhausted() async {
        for await _ in self.exhaustion.stream {}
    }

    /// Whether every peer of the link has been tried once.
    var isLinkExhausted: Bool { self.untriedCount.withLock { $0 <= 0 } }

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
                    await self.keep("\(peer)", isOfLink: true) { try await self.checked(self.network.connect(to: peer, addresses: addresses)) }
                }
            }
            for address in withoutPeer {
                group.addTask {
                    await self.keep("\(address)", isOfLink: true) { try await self.checked(self.network.swarm.connect(to: address)) }
                }
            }
            let known = Set(addresses.keys)
            if self.asksConnectedPeers {
                for connection in self.network.swarm.connections where !known.contains(connection.remotePeer) {
                    group.addTask { await self.ask(connection) }
                }
            }
            guard let localPeers = self.localPeers else { return }
            group.addTask {
                for await peer in localPeers where !known.contains(peer.peer) { self.events.continuation.yield(.heard(peer)) }
                // Nobody else will be heard of; who rests is not asked again.
                self.events.continuation.finish()
            }
            for await event in self.events.stream {
                guard let peer = self.received(event) else { continue }
                group.addTask { await self.askLocal(peer) }
            }
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
            case .heard(let peer) where peer.addresses.isEmpty:
                candidates.left(peer.peer)
                return nil
            case .heard(let peer): return candidates.announced(peer.peer, at: peer.addresses, now: .now) ? peer.peer : nil
            case .restEnded(let peer): return candidates.restEnded(peer, now: .now) ? peer : nil
            }
        }
    }

    /// Asks a peer that is connected already, once.
    private func ask(_ connection: any Connection) async {
        let name = "\(connection.remotePeer)"
        do {
            guard try await self.question(connection) else { return self.note(name, "connected, does not have it") }
            self.note(name, "connected")
            await self.found(connection)
        } catch {
            self.note(name, "\(error)")
        }
    }

    /// Asks a peer of the local network and stays with it while it holds the content; after that it rests.
    private func askLocal(_ peer: PeerID) async {
        let lacks = await self.keep("\(peer)", isOfLink: false, triesOn: { self.candidates.withLock { $0.unreachable(peer, now: .now) } }) {
            let connection = try await self.network.connect(to: peer, addresses: self.candidates.withLock { $0.addresses(of: peer) })
            guard try await self.question(connection) else { throw NodeError(.notFound, "on the local network, does not have it") }
            self.candidates.withLock { $0.held(peer) }
            return connection
        }
        guard lacks else { return }
        let deadline = self.candidates.withLock { $0.lacked(peer, now: .now) }
        do {
            try await Task.sleep(until: deadline, clock: .continuous)
            self.events.continuation.yield(.restEnded(peer))
        } catch {
            // The search is over.
        }
    }

    /// Connects, reports, waits until the connection ends, and begins again.
    ///
    /// - Parameter triesOn: Whether to connect again after it failed.
    /// - Returns: Whether the peer was asked and has it not.
    @discardableResult
    private func keep(
        _ name: String, isOfLink: Bool, triesOn: @Sendable () -> Bool = { true }, connect: @Sendable () async throws -> any Connection
    ) async -> Bool {
        var failures = 0
        var isFirst = isOfLink
        while !Task.isCancelled {
            do {
                let connection = try await connect()
                self.network.swarm.protect(connection.remotePeer, tag: "fetch")
                self.note(name, "connected")
                await self.found(connection)
                if isFirst {
                    self.tried()
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
            } catch {
                self.note(name, "\(error)")
                if isFirst {
                    self.tried()
                    isFirst = false
                }
                if let error = error as? NodeError, error.code == .notFound { return true }
                guard triesOn() else { return false }
            }
            do {
                try await Task.sleep(for: Self.redialIntervals[min(failures, Self.redialIntervals.count - 1)])
            } catch {
                return false
            }
            failures += 1
        }
        return false
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
