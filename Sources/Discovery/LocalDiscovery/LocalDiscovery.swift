public import DIGIdentity
public import DIGMultiformats
public import Logging
public import NIOCore
public import ServiceLifecycle
import Synchronization

/// Finds peers in the local network, and is found by them, without any server (libp2p discovery/mdns r2).
///
/// Runs beside other programs that use multicast DNS on the same machine. An interface that comes or goes is noticed; a
/// machine without any is no error. Contents that this node has are told of only to who asks for them: see ``announce(_:)`` and
/// ``findPeers(holding:)``.
public final class LocalDiscovery: Service {
    private let identity: PeerID
    private let addresses: @Sendable () -> [Multiaddr]
    private let configuration: LocalDiscoveryConfiguration
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let state = Mutex(State())

    private struct State {
        var isRunning = false
        var peers: [PeerID: DiscoveredPeer] = [:]
        var readers: [UInt64: AsyncStream<DiscoveredPeer>.Continuation] = [:]
        var nextReader: UInt64 = 0
        /// While it runs.
        var driver: LocalDiscoveryDriver?
        /// The contents of this node.
        var contents: Set<LocalKey> = []
        var searches: [LocalKey: Search] = [:]
    }

    /// What somebody looks for.
    private struct Search {
        var holders: [PeerID: DiscoveredPeer] = [:]
        var readers: [UInt64: AsyncStream<DiscoveredPeer>.Continuation] = [:]
    }

    /// - Parameters:
    ///   - identity: Who to announce.
    ///   - addresses: Where this node listens, with the addresses of its interfaces in place of wildcards. Asked again
    ///     every ``LocalDiscoveryConfiguration/refreshInterval``, on the event loop: it must not block. Only IP addresses of
    ///     the node itself are announced, loopback only to the same machine; `/p2p/<identity>` is added.
    public init(
        identity: PeerID, addresses: @escaping @Sendable () -> [Multiaddr], configuration: LocalDiscoveryConfiguration = .init(),
        group: any EventLoopGroup, logger: Logger
    ) {
        self.identity = identity
        self.addresses = addresses
        self.configuration = configuration
        self.eventLoop = group.next()
        self.logger = logger
    }

    /// Announces and listens until cancelled or shut down gracefully, then says goodbye and ends every stream of
    /// ``findPeers()``.
    ///
    /// - Throws: ``LocalDiscoveryError`` with `.alreadyRunning`.
    public func run() async throws {
        let isFirst = self.state.withLock { state in
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard isFirst else { throw LocalDiscoveryError(.alreadyRunning, "local discovery is running already") }
        defer { self.end() }
        let driver = LocalDiscoveryDriver(
            peer: self.identity, addresses: self.addresses, configuration: self.configuration, eventLoop: self.eventLoop,
            logger: self.logger, holds: { [weak self] key in self?.state.withLock { $0.contents.contains(key) } ?? false },
            report: { [weak self] output in
                switch output {
                case .report(let peer): self?.publish(peer)
                case .reportHolder(let peer, let key): self?.publish(peer, holding: key)
                case .send: break
                }
            })
        self.state.withLock { state in
            state.driver = driver
            for key in state.searches.keys { driver.want(key) }
        }
        try await driver.start().get()
        do { try await gracefulShutdown() } catch is CancellationError {}
        try await driver.stop().get()
    }

    /// The peers known, and then each that appears, changes, is heard of again or leaves (with no addresses).
    ///
    /// May be called before ``run()`` and by several readers. Ends when ``run()`` does.
    public func findPeers() -> AsyncStream<DiscoveredPeer> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: DiscoveredPeer.self, bufferingPolicy: .bufferingNewest(self.configuration.eventBufferCount))
        let reader = self.state.withLock { state in
            let reader = state.nextReader
            state.nextReader += 1
            state.readers[reader] = continuation
            // Under the lock, so that nothing newer gets in before; yielding calls nobody back.
            for peer in state.peers.values { continuation.yield(peer) }
            return reader
        }
        continuation.onTermination = { [weak self] _ in
            // Later: a task that is being cancelled is locked by the runtime while it calls this, and a yield under our lock waits for that.
            Task { [weak self] in self?.state.withLock { _ = $0.readers.removeValue(forKey: reader) } }
        }
        return stream
    }

    // MARK: Contents

    /// From now on says that this node has the content, to whoever asks. Nothing is sent before that.
    ///
    /// May be called before ``run()``. A hundred thousand contents take some megabytes of memory and nothing else.
    public func announce(_ key: LocalKey) { self.announce(all: [key]) }

    /// As ``announce(_:)``, for many.
    public func announce(all keys: some Sequence<LocalKey>) {
        self.state.withLock { $0.contents.formUnion(keys) }
    }

    /// This node has the content no longer. Who was told lately is told.
    public func withdraw(_ key: LocalKey) { self.withdraw(all: [key]) }

    /// As ``withdraw(_:)``, for many.
    public func withdraw(all keys: some Sequence<LocalKey>) {
        self.state.withLock { state in
            let gone = keys.filter { state.contents.remove($0) != nil }
            // Under the lock, here and below, so that the driver hears things in their order; it only takes note.
            if !gone.isEmpty { state.driver?.withdraw(gone) }
        }
    }

    /// Who has the content, as they answer; a peer comes again when its addresses change, and with none when it has the content no longer or leaves.
    ///
    /// Everybody on the link is asked at once, after a second and then ever less often, and again when a peer comes. Only peers that
    /// ``DiscoveredPeer/answersForContents`` ever answer. May be called before ``run()``; ends when ``run()`` does. 64 contents are looked for at once; of
    /// others nothing is found.
    public func findPeers(holding key: LocalKey) -> AsyncStream<DiscoveredPeer> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: DiscoveredPeer.self, bufferingPolicy: .bufferingNewest(self.configuration.eventBufferCount))
        let reader = self.state.withLock { state in
            let reader = state.nextReader
            state.nextReader += 1
            if state.searches[key] == nil { state.driver?.want(key) }
            state.searches[key, default: Search()].readers[reader] = continuation
            for peer in state.searches[key]?.holders.values ?? [:].values { continuation.yield(peer) }
            return reader
        }
        continuation.onTermination = { [weak self] _ in
            // Later, for the reason given above.
            Task { [weak self] in self?.endSearch(reader, for: key) }
        }
        return stream
    }

    private func endSearch(_ reader: UInt64, for key: LocalKey) {
        self.state.withLock { state in
            state.searches[key]?.readers[reader] = nil
            guard state.searches[key]?.readers.isEmpty == true else { return }
            state.searches[key] = nil
            state.driver?.unwant(key)
        }
    }

    private func publish(_ peer: DiscoveredPeer, holding key: LocalKey) {
        self.logger.debug("local holder", metadata: ["dig.mdns.peer": "\(peer.peer)", "dig.mdns.address_count": "\(peer.addresses.count)"])
        self.state.withLock { state in
            guard state.searches[key] != nil else { return }
            state.searches[key]?.holders[peer.peer] = peer.addresses.isEmpty ? nil : peer
            for reader in state.searches[key]?.readers.values ?? [:].values { reader.yield(peer) }
        }
    }

    // MARK: Peers

    /// The peers known, in no order.
    public var peers: [DiscoveredPeer] { self.state.withLock { Array($0.peers.values) } }

    private func publish(_ peer: DiscoveredPeer) {
        self.logger.debug("local peer", metadata: ["dig.mdns.peer": "\(peer.peer)", "dig.mdns.address_count": "\(peer.addresses.count)"])
        self.state.withLock { state in
            state.peers[peer.peer] = peer.addresses.isEmpty ? nil : peer
            for reader in state.readers.values { reader.yield(peer) }
        }
    }

    private func end() {
        let readers = self.state.withLock { state in
            state.isRunning = false
            state.driver = nil
            state.peers.removeAll()
            defer {
                state.readers.removeAll()
                state.searches.removeAll()
            }
            return Array(state.readers.values) + state.searches.values.flatMap(\.readers.values)
        }
        // Not under the lock: the end of a stream calls back.
        for reader in readers { reader.finish() }
    }
}
