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
    private let threadPool: NIOThreadPool
    private let logger: Logger
    private let reader: HostReader
    private let registry: HostRegistry

    /// - Parameters:
    ///   - threadPool: Must be running for as long as sessions are open.
    ///   - uploadLimiter: Nil: a new one with the configured rate.
    ///   - sessionEnded: Told of every session that ends, with the bytes of each content it was sent; on any thread, must not block.
    public init(
        provider: any ContentProvider, configuration: TransferHostConfiguration = TransferHostConfiguration(), threadPool: NIOThreadPool,
        uploadLimiter: RateLimiter? = nil, logger: Logger, sessionEnded: (@Sendable (PeerID, [ContentHash: UInt64]) -> Void)? = nil
    ) {
        self.provider = provider
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
            self.serve(stream, peer: connection.remotePeer)
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

    /// What was uploaded, and what is being uploaded at `now`.
    public func statistics(now: NIODeadline = .now()) -> HostStatistics {
        self.registry.statistics(now: now)
    }

    /// For tests.
    var openFileCount: Int { self.reader.files.openCount }
    /// For tests: how often a file was opened.
    var openedFileCount: Int { self.reader.files.openedCount }

    /// Starts a session on a stream; it is refused at a limit on sessions. On the stream's event loop.
    package func serve(_ stream: any Channel, peer: PeerID) -> EventLoopFuture<Void> {
        guard let id = self.registry.add(peer, now: stream.eventLoop.now) else {
            return stream.eventLoop.makeFailedFuture(ConnectionError(.limitExceeded, "\(peer) has too many sessions open, or all peers together"))
        }
        let handler = HostSessionHandler(
            id: id, peer: peer, provider: self.provider, configuration: self.configuration, threadPool: self.threadPool, reader: self.reader,
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
