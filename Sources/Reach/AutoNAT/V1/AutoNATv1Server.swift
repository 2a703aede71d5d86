import DIGIdentity
import DIGMultiformats
public import DIGNet
public import Logging
import NIOCore
public import ServiceLifecycle

/// Dials peers back at those of their addresses that have the IP address they come from (autonat v1).
public final class AutoNATv1Server: Service {
    private let dialer: any PeerDialer
    private let router: any StreamRouter
    private let configuration: AutoNATv1ServerConfiguration
    private let logger: Logger
    private let requests: DialBackRequests

    /// - Parameters:
    ///   - dialer: Makes the connections back. It may have an identity of its own.
    ///   - router: Where requests come in.
    public init(dialer: any PeerDialer, router: any StreamRouter, configuration: AutoNATv1ServerConfiguration = .init(), logger: Logger) {
        self.dialer = dialer
        self.router = router
        self.configuration = configuration
        self.logger = logger
        self.requests = DialBackRequests(
            AutoNAT.protocolID, maximumByteCount: AutoNATv1Codec.maximumByteCount, timeout: configuration.requestTimeout, limits: configuration.limits,
            logger: logger)
    }

    /// Answers requests until cancelled or shut down gracefully; requests under way are given up then.
    ///
    /// - Throws: ``AutoNATError`` with `.alreadyRunning`.
    public func run() async throws {
        try await self.requests.run(on: self.router) { [self] request in
            self.respond(AutoNATv1Response(.dialRefused, text: "too many requests"), request.messages, request.connection)
        } serve: { [self] request in
            await self.serve(request)
        }
    }

    private func serve(_ request: DialBackRequests.Request) async {
        let (messages, connection) = (request.messages, request.connection)
        do {
            let bytes = try await messages.next()
            let message: AutoNATv1Message
            do throws(AutoNATDecodingError) {
                message = try AutoNATv1Codec.decode(bytes)
            } catch {
                return self.respond(AutoNATv1Response(.badRequest, text: "\(error)"), messages, connection)
            }
            let action = AutoNATv1Request(
                message, from: connection.remotePeer, observed: connection.isRelayed ? nil : connection.remoteAddress,
                policy: self.configuration.policy, maximumDialedAddresses: self.configuration.maximumDialedAddresses)
            switch action {
            case .respond(let response):
                self.requests.note(refusedDialOf: request, because: response.text ?? "\(response.status)")
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
