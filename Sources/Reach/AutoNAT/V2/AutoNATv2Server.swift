import DIGIdentity
import DIGMultiformats
public import DIGNet
public import Logging
import NIOCore
public import ServiceLifecycle

/// Dials peers back at one address each asks about, and brings a nonce that proves it (autonat v2).
///
/// Addresses that are not public, and all of an asker that is not, are refused; another machine's address costs the asker
/// ``AutoNATv2ServerConfiguration/dialDataByteCount``. Every dial is a new connection from a fresh port to exactly the address asked about.
public final class AutoNATv2Server: Service {
    private let dialer: any PeerDialer
    private let router: any StreamRouter
    private let configuration: AutoNATv2ServerConfiguration
    private let logger: Logger
    private let requests: DialBackRequests

    /// - Parameters:
    ///   - dialer: Makes the connections back. It may have an identity of its own (autonat v2: clients rely on the nonce, not on the peer id),
    ///     so that the connection that brought the request and the one back don't compete for being the one to use.
    ///   - router: Where requests come in.
    public init(dialer: any PeerDialer, router: any StreamRouter, configuration: AutoNATv2ServerConfiguration = .init(), logger: Logger) {
        self.dialer = dialer
        self.router = router
        self.configuration = configuration
        self.logger = logger
        self.requests = DialBackRequests(
            AutoNAT.dialRequestProtocolID, maximumByteCount: AutoNATv2Codec.maximumByteCount, timeout: configuration.requestTimeout,
            limits: configuration.limits, logger: logger)
    }

    /// Answers requests until cancelled or shut down gracefully; requests under way are given up then.
    ///
    /// - Throws: ``AutoNATError`` with `.alreadyRunning`.
    public func run() async throws {
        try await self.requests.run(on: self.router) { [self] request in
            self.log("request over the limits", request.connection)
            request.messages.writeLast(AutoNATv2Codec.encode(.dialResponse(AutoNATv2DialResponse(.requestRejected))))
        } serve: { [self] request in
            do {
                try await self.converse(request)
            } catch {
                self.log("request failed", request.connection, because: error)
                request.messages.close()
            }
        }
    }

    private func converse(_ request: DialBackRequests.Request) async throws {
        let (messages, connection) = (request.messages, request.connection)
        var machine = AutoNATv2ServerStateMachine(
            peer: connection.remotePeer, observed: connection.isRelayed ? nil : connection.remoteAddress, configuration: self.configuration)
        var generator = SystemRandomNumberGenerator()
        // All reads together; each alone has the same limit.
        let timer = connection.eventLoop.scheduleTask(in: TimeAmount(self.configuration.requestTimeout)) { messages.close() }
        defer { timer.cancel() }

        var action = AutoNATv2ServerStateMachine.Action.read(send: nil)
        while true {
            switch action {
            case .read(let message):
                if let message { try await messages.write(AutoNATv2Codec.encode(message)).get() }
                let bytes = try await messages.next()
                let received: AutoNATv2Message
                do throws(AutoNATDecodingError) {
                    received = try AutoNATv2Codec.decode(bytes)
                } catch .tooManyAddresses {
                    action = .respond(AutoNATv2DialResponse(.requestRejected))
                    continue
                }
                action = machine.received(received, using: &generator) { self.requests.admitDialData() }
            case .dial(let address, let nonce, let isPaidFor):
                timer.cancel()
                if isPaidFor {
                    try await Task.sleep(for: .nanoseconds(Int64.random(in: 0...max(0, self.configuration.maximumDialDelay.nanoseconds))))
                }
                action = machine.dialed(await self.dial(address, nonce: nonce, for: connection))
            case .respond(let response):
                if response.status == .dialRefused {
                    self.requests.note(refusedDialOf: request, because: "none of the addresses is dialed from \(connection.remoteAddress)")
                }
                self.log("request answered", connection, response)
                messages.writeLast(AutoNATv2Codec.encode(.dialResponse(response)))
                return
            case .reset(let reason):
                throw AutoNATError(.malformedAnswer, reason)
            }
        }
    }

    /// Dials, delivers the nonce, and is done with the connection before the asker hears of it, so that it does not get in use.
    ///
    /// - Returns: Nil if it failed for a reason that lies here.
    private func dial(_ address: Multiaddr, nonce: UInt64, for connection: any Connection) async -> AutoNATv2DialResponse.DialStatus? {
        let dialBack: any Connection
        do {
            dialBack = try await self.dialer.dialBack(connection.remotePeer, at: [address], timeout: self.configuration.dialTimeout)
        } catch {
            self.log("dial back failed", connection, because: error)
            return error.isOurs ? nil : .dialError
        }
        // What a dialer that gives out an older connection would prove is nothing.
        guard dialBack.role == .dialer, dialBack.id != connection.id, dialBack.remoteAddress.removingPeerID() == address else { return nil }
        let status: AutoNATv2DialResponse.DialStatus
        do {
            try await self.deliver(nonce, over: dialBack)
            status = .ok
        } catch {
            self.log("nonce not delivered", connection, because: error)
            status = .dialBackError
        }
        await dialBack.close()
        return status
    }

    private func deliver(_ nonce: UInt64, over dialBack: any Connection) async throws {
        try await dialBack.withMessages(
            speaking: AutoNAT.dialBackProtocolID, limit: AutoNATv2Codec.maximumDialBackByteCount, timeout: self.configuration.dialBackTimeout
        ) { messages in
            try await messages.write(AutoNATv2Codec.encodeDialBack(nonce: nonce)).get()
            messages.finish()
            try AutoNATv2Codec.decodeDialBackResponse(try await messages.read().get())
        }
    }

    private func log(
        _ message: Logger.Message, _ connection: any Connection, _ response: AutoNATv2DialResponse? = nil, because error: (any Error)? = nil
    ) {
        var metadata: Logger.Metadata = [
            "dig.autonat.peer": "\(connection.remotePeer)", "dig.autonat.address": "\(connection.remoteAddress)", "dig.autonat.version": "2",
        ]
        if let response {
            metadata["dig.autonat.status"] = "\(response.status)"
            if response.status == .ok { metadata["dig.autonat.dial_status"] = "\(response.dialStatus)" }
        }
        if let error { metadata["dig.autonat.error"] = "\(error)" }
        self.logger.debug(message, metadata: metadata)
    }
}

extension Duration {
    /// Clamped.
    fileprivate var nanoseconds: Int64 { TimeAmount(self).nanoseconds }
}
