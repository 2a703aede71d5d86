import DIGIdentity
import DIGMultiformats
import DIGNet
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// The requests of peers to be dialed back, in either version of the protocol: those within the limits are served, each in a task of its own.
final class DialBackRequests: Sendable {
    struct Request: Sendable {
        var messages: MessageStream
        var connection: any Connection
    }

    private let protocolID: ProtocolID
    private let maximumByteCount: Int
    private let timeout: Duration
    private let limits: AutoNATServerLimits
    private let limiter: Mutex<RequestLimiter>
    private let isRunning = Mutex(false)
    private let refusals: RefusalLog

    /// - Parameters:
    ///   - maximumByteCount: Of one message.
    ///   - timeout: For each read.
    init(_ protocolID: ProtocolID, maximumByteCount: Int, timeout: Duration, limits: AutoNATServerLimits, logger: Logger) {
        self.protocolID = protocolID
        self.maximumByteCount = maximumByteCount
        self.timeout = timeout
        self.limits = limits
        self.limiter = Mutex(RequestLimiter(limits: limits))
        self.refusals = RefusalLog(logger, naming: "dig.autonat.peer")
    }

    /// Takes requests until cancelled or shut down gracefully; those under way are given up then.
    ///
    /// - Parameters:
    ///   - refuse: Answers one that is over the limits.
    ///   - serve: Answers one; when it is cancelled the stream is reset.
    /// - Throws: ``AutoNATError`` with `.alreadyRunning`.
    func run(
        on router: any StreamRouter, refuse: @escaping @Sendable (Request) -> Void, serve: @escaping @Sendable (Request) async -> Void
    ) async throws {
        let isFirst = self.isRunning.withLock { isRunning in
            defer { isRunning = true }
            return !isRunning
        }
        guard isFirst else { throw AutoNATError(.alreadyRunning, "the server is running already") }
        defer { self.isRunning.withLock { $0 = false } }

        // No more can wait than are admitted.
        let (requests, continuation) = AsyncStream.makeStream(
            of: Request.self, bufferingPolicy: .bufferingOldest(max(1, self.limits.concurrentRequests)))
        router.register(self.protocolID) { stream, connection in
            stream.eventLoop.makeCompletedFuture {
                let messages = try MessageStream(on: stream, limit: self.maximumByteCount, timeout: self.timeout)
                let request = Request(messages: messages, connection: connection)
                guard self.admit(request) else { return refuse(request) }
                guard case .enqueued = continuation.yield(request) else {
                    self.finished(request)
                    messages.close()
                    return
                }
            }
        }
        defer { router.unregister(self.protocolID) }
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                for await request in requests {
                    group.addTask {
                        await withTaskCancellationHandler {
                            await serve(request)
                        } onCancel: {
                            request.messages.close()
                        }
                        self.finished(request)
                    }
                }
                group.cancelAll()
            }
        } onGracefulShutdown: {
            continuation.finish()
        }
        continuation.finish()
    }

    private func admit(_ request: Request) -> Bool {
        let network = HostAddress(request.connection.remoteAddress).map { HostNetwork($0) }
        return self.limiter.withLock { $0.admit(peer: request.connection.remotePeer, network: network, now: .now) }
    }

    private func finished(_ request: Request) {
        self.limiter.withLock { $0.finished(request.connection.remotePeer) }
    }

    /// Whether one more dial to another machine's address is within the limits.
    func admitDialData() -> Bool { self.limiter.withLock { $0.admitDialData(now: .now) } }

    /// The peer asks for a dial to where nobody is dialed on a stranger's word.
    func note(refusedDialOf request: Request, because reason: String) {
        self.refusals.note("a peer asks for a dial that is refused", of: request.connection.remotePeer, because: reason)
    }
}
