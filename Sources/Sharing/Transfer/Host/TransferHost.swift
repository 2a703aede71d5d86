public import DIGContent
public import DIGIdentity
public import DIGNet
public import Logging
public import NIOCore
public import NIOPosix

/// Serves contents to peers: the answering side of `/dig/transfer/1.0.0`.
///
///     let host = TransferHost(provider: registry, threadPool: .singleton, logger: logger)
///     host.register(on: swarm)
///
/// A stream carries one session with any number of contents. Everything of a session runs on its stream's event loop; files are read
/// on the thread pool, at most ``TransferHostConfiguration/readAheadByteCount`` ahead of what the peer takes.
public final class TransferHost: Sendable {
    /// `/dig/transfer/1.0.0`.
    public static let protocolID = ProtocolID(TransferLimits.protocolName)

    /// As given to the initializer.
    public let configuration: TransferHostConfiguration
    /// For all uploads together. Its rate may be changed at any time.
    public let uploadLimiter: RateLimiter

    private let provider: any ContentProvider
    private let gate: (any ContentGate)?
    private let threadPool: NIOThreadPool
    private let logger: Logger
    private let reader: HostReader
    private let registry: HostRegistry

    /// - Parameters:
    ///   - threadPool: Must be running for as long as sessions are open.
    ///   - gate: Asked before a peer is told of a content. Nil: everybody may have everything.
    ///   - uploadLimiter: Nil: a new one with the configured rate.
    ///   - sessionEnded: Told of every session that ends, with the bytes of each content it was sent; on any thread, must not block.
    public init(
        provider: any ContentProvider, gate: (any ContentGate)? = nil, configuration: TransferHostConfiguration = TransferHostConfiguration(),
        threadPool: NIOThreadPool,
        uploadLimiter: RateLimiter? = nil, logger: Logger, sessionEnded: (@Sendable (PeerID, [ContentHash: UInt64]) -> Void)? = nil
    ) {
        self.provider = provider
        self.gate = gate
        self.configuration = configuration
        self.uploadLimiter = uploadLimiter ?? RateLimiter(bytesPerSecond: configuration.uploadBytesPerSecond)
        self.threadPool = threadPool
        self.logger = logger
        self.reader = HostReader(configuration: configuration)
        self.registry = HostRegistry(configuration: configuration, sessionEnded: sessionEnded)
    }

    /// Answers the protocol on `router`.
    public func register(on router: any StreamRouter) {
        router.register(Self.protocolID) { [self] stream, connection in
            self.serve(stream, peer: connection.remotePeer, connection: connection)
        }
    }

    /// Answers no new session on `router`.
    public func unregister(from router: any StreamRouter) {
        router.unregister(Self.protocolID)
    }

    /// Resets every session.
    public func closeSessions() {
        self.registry.closeAll()
        self.reader.files.removeAll()
    }

    /// Stops serving a content to sessions that have it open. The provider must not return it any more.
    public func withdraw(_ hash: ContentHash) {
        self.registry.withdraw(hash, .notHeld)
    }

    /// Stops serving a content to the peer at the other end of one connection, chunks that it is owed included.
    public func withdraw(_ hash: ContentHash, from connection: ConnectionID) {
        self.registry.withdraw(hash, .notAuthorized, from: connection)
    }

    /// Asks the gate again about everything that sessions have open, and stops serving what it refuses. To be called when whatever the gate goes by
    /// has changed: a token was revoked, a peer is trusted no more.
    ///
    /// - Returns: How many contents were withdrawn.
    @discardableResult
    public func reviewAdmissions() async -> Int {
        guard let gate = self.gate else { return 0 }
        var count = 0
        for session in await self.registry.admittedContents() {
            for hash in session.contents {
                let verdict: GateVerdict
                if let connection = session.connection { verdict = await gate.verdict(for: hash, on: connection) } else { verdict = .refused(.notAuthorized) }
                guard case .refused(let refusal) = verdict, refusal != .undecided else { continue }
                session.withdraw(hash, refusal.reason)
                count += 1
            }
        }
        return count
    }

    /// What was uploaded, and what is being uploaded at `now`.
    public func statistics(now: NIODeadline = .now()) -> HostStatistics {
        self.registry.statistics(now: now)
    }

    /// For tests.
    var openFileCount: Int { self.reader.files.openCount }
    /// For tests: how often a file was opened.
    var openedFileCount: Int { self.reader.files.openedCount }

    /// Starts a session on a stream; it is refused at a limit on sessions. On the stream's event loop.
    ///
    /// - Parameter connection: What the gate is asked about. With a gate and without it, everything is refused.
    package func serve(_ stream: any Channel, peer: PeerID, connection: (any Connection)? = nil) -> EventLoopFuture<Void> {
        guard let id = self.registry.add(peer, connection: connection, now: stream.eventLoop.now) else {
            return stream.eventLoop.makeFailedFuture(ConnectionError(.limitExceeded, "\(peer) has too many sessions open, or all peers together"))
        }
        let handler = HostSessionHandler(
            id: id, peer: peer, connection: connection, gate: self.gate, provider: self.provider, configuration: self.configuration, threadPool: self.threadPool, reader: self.reader,
            registry: self.registry, limiter: RateLimiter(bytesPerSecond: self.configuration.sessionBytesPerSecond, parent: self.uploadLimiter),
            logger: self.logger)
        do {
            try stream.pipeline.syncOperations.addHandler(handler)
            return stream.eventLoop.makeSucceededVoidFuture()
        } catch {
            self.registry.remove(id)
            return stream.eventLoop.makeFailedFuture(error)
        }
    }
}
