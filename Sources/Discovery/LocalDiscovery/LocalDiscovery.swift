public import DIGIdentity
public import DIGMultiformats
public import Logging
public import NIOCore
public import ServiceLifecycle
import Synchronization

/// Finds peers in the local network, and is found by them, without any server (libp2p discovery/mdns r2).
///
/// Runs beside other programs that use multicast DNS on the same machine. An interface that comes or goes is noticed; a
/// machine without any is no error.
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
            logger: self.logger, report: { [weak self] in self?.publish($0) })
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
            state.peers.removeAll()
            defer { state.readers.removeAll() }
            return Array(state.readers.values)
        }
        // Not under the lock: the end of a stream calls back.
        for reader in readers { reader.finish() }
    }
}
