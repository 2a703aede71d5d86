import DIGIdentity
import DIGMultiformats
public import DIGNet
public import Logging
import NIOCore
public import ServiceLifecycle
import Synchronization

/// Dials peers back at those of their addresses that have the IP address they come from (autonat v1).
public final class AutoNATv1Server: Service {
    private struct Exchange: Sendable {
        var messages: MessageStream
        var connection: any Connection
    }

    private let dialer: any PeerDialer
    private let router: any StreamRouter
    private let configuration: AutoNATv1ServerConfiguration
    private let logger: Logger
    private let refusals: RefusalLog
    private let limiter: Mutex<RequestLimiter>
    private let isRunning = Mutex(false)

    /// - Parameters:
    ///   - dialer: Makes the connections back. It may have an identity of its own.
    ///   - router: Where requests come in.
    public init(dialer: any PeerDialer, router: any StreamRouter, configuration: AutoNATv1ServerConfiguration = .init(), logger: Logger) {
        self.dialer = dialer
        self.router = router
        self.configuration = configuration
        self.logger = logger
        self.refusals = RefusalLog(logger, naming: "dig.autonat.peer")
        self.limiter = Mutex(RequestLimiter(limits: configuration.limits))
    }

    /// Answers requests until cancelled or shut down gracefully; requests under way are given up then.
    ///
    /// - Throws: ``AutoNATError`` with `.alreadyRunning`.
    public func run() async throws {
        let isFirst = self.isRunning.withLock { isRunning in
            defer { isRunning = true }
            return !isRunning
        }
        guard isFirst else { throw AutoNATError(.alreadyRunning, "the server is running already") }
        defer { self.isRunning.withLock { $0 = false } }

        // No more can wait than are admitted.
        let (exchanges, continuation) = AsyncStream.makeStream(
            of: Exchange.self, bufferingPolicy: .bufferingOldest(max(1, self.configuration.limits.concurrentRequests)))
        self.router.register(AutoNAT.protocolID) { stream, connection in
            stream.eventLoop.makeCompletedFuture { try self.accept(stream, of: connection, into: continuation) }
        }
        defer { self.router.unregister(AutoNAT.protocolID) }
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                for await exchange in exchanges {
                    group.addTask { await self.serve(exchange) }
                }
                group.cancelAll()
            }
        } onGracefulShutdown: {
            continuation.finish()
        }
        continuation.finish()
    }

    private func accept(_ stream: any Channel, of connection: any Connection, into continuation: AsyncStream<Exchange>.Continuation) throws {
        let messages = try MessageStream(on: stream, limit: AutoNATv1Codec.maximumByteCount, timeout: self.configuration.requestTimeout)
        let peer = connection.remotePeer
        let network = HostAddress(connection.remoteAddress).map { HostNetwork($0) }
        guard self.limiter.withLock({ $0.admit(peer: peer, network: network, now: .now) }) else {
            self.respond(AutoNATv1Response(.dialRefused, text: "too many requests"), messages, connection)
            return
        }
        guard case .enqueued = continuation.yield(Exchange(messages: messages, connection: connection)) else {
            self.limiter.withLock { $0.finished(peer) }
            messages.close()
            return
        }
    }

    private func serve(_ exchange: Exchange) async {
        let (messages, connection) = (exchange.messages, exchange.connection)
        defer { self.limiter.withLock { $0.finished(connection.remotePeer) } }
        do {
            let bytes = try await messages.next()
            let message: AutoNATv1Message
            do throws(AutoNATDecodingError) {
                message = try AutoNATv1Codec.decode(bytes)
            } catch {
                return self.respond(AutoNATv1Response(.badRequest, text: "\(error)"), messages, connection)
            }
            let request = AutoNATv1Request(
                message, from: connection.remotePeer, observed: connection.isRelayed ? nil : connection.remoteAddress,
                policy: self.configuration.policy, maximumDialedAddresses: self.configuration.maximumDialedAddresses)
            switch request {
            case .respond(let response):
                self.refusals.note("a peer asks for a dial that is refused", of: connection.remotePeer, because: response.text ?? "\(response.status)")
                self.respond(response, messages, connection)
            case .dial(let addresses): await self.dial(addresses, for: connection, messages)
            }
        } catch {
            self.logger.debug("request failed", metadata: ["dig.autonat.peer": "\(connection.remotePeer)", "dig.autonat.error": "\(error)"])
            messages.close()
        }
    }

    private func dial(_ addresses: [Multiaddr], for connection: any Connection, _ messages: MessageStream) async {
        do {
            let dialBack = try await self.dialer.dialBack(connection.remotePeer, at: addresses, timeout: self.configuration.dialTimeout)
            let dialed = dialBack.remoteAddress.removingPeerID()
            // What a dialer that gives out an older connection would prove is nothing.
            if dialBack.role == .dialer, dialBack.id != connection.id, addresses.contains(dialed) {
                // Done with it before the asker hears of it, so that it does not get in use.
                await dialBack.close()
                self.respond(AutoNATv1Response(.ok, address: dialed), messages, connection)
            } else {
                self.respond(AutoNATv1Response(.internalError), messages, connection)
            }
        } catch {
            let response = error.isOurs ? AutoNATv1Response(.internalError) : AutoNATv1Response(.dialError, text: "no address could be dialed")
            self.respond(response, messages, connection)
        }
    }

    private func respond(_ response: AutoNATv1Response, _ messages: MessageStream, _ connection: any Connection) {
        self.logger.debug(
            "request answered",
            metadata: [
                "dig.autonat.peer": "\(connection.remotePeer)", "dig.autonat.address": "\(connection.remoteAddress)",
                "dig.autonat.version": "1", "dig.autonat.status": "\(response.status)",
            ])
        messages.writeLast(AutoNATv1Codec.encode(.response(response)))
    }
}
