import DIGIdentity
import DIGMultiformats
public import DIGNet
public import Logging
import NIOCore
import Synchronization

/// Asks peers to dial this node at one of its addresses, and takes nothing for proven but a nonce that arrives there (autonat v2).
///
/// Dial-backs are answered from ``register()`` on.
public final class AutoNATv2Client: Sendable {
    private typealias Arrival = AutoNATv2ClientStateMachine.Arrival

    private struct Expectation {
        /// The connection that the request went over.
        var request: ConnectionID
        var promise: EventLoopPromise<Arrival?>
    }

    /// autonat v2: at most 4096 bytes of data in a message; as go-libp2p, a little less.
    private static let dataPieceByteCount = 4000

    private let router: any StreamRouter
    private let configuration: AutoNATv2ClientConfiguration
    private let logger: Logger
    /// By nonce. Each is there once: the first dial-back with it takes it out.
    private let expected = Mutex<[UInt64: Expectation]>([:])

    /// - Parameter router: Where dial-backs come in.
    public init(router: any StreamRouter, configuration: AutoNATv2ClientConfiguration = .init(), logger: Logger) {
        self.router = router
        self.configuration = configuration
        self.logger = logger
    }

    /// Answers dial-backs from now on.
    public func register() {
        self.router.register(AutoNAT.dialBackProtocolID) { [weak self] stream, connection in
            stream.eventLoop.makeCompletedFuture { try self?.accept(stream, of: connection) }
        }
    }

    public func unregister() {
        self.router.unregister(AutoNAT.dialBackProtocolID)
    }

    // MARK: Asking

    /// Asks the peer of `connection` to dial the first of `targets` that it is willing to.
    ///
    /// - Parameter targets: 1 to 50, the most wanted first.
    /// - Throws: ``AutoNATError``; `CancellationError` after the stream is reset.
    public func ask(about targets: [AutoNATv2Target], on connection: any Connection) async throws -> AutoNATv2Result {
        guard !connection.isRelayed else { throw AutoNATError(.notSupported, "\(connection.remotePeer) is reached through a relay") }
        guard !targets.isEmpty, targets.count <= AutoNATv2Codec.maximumAddressCount else {
            throw AutoNATError(.notSupported, "\(targets.count) addresses can't be asked about")
        }
        let promise = connection.eventLoop.makePromise(of: Arrival?.self)
        let nonce = self.expect(Expectation(request: connection.id, promise: promise))
        defer {
            if let left = self.expected.withLock({ $0.removeValue(forKey: nonce) }) { left.promise.succeed(nil) }
        }
        do {
            return try await connection.withMessages(
                speaking: AutoNAT.dialRequestProtocolID, limit: AutoNATv2Codec.maximumByteCount, timeout: self.configuration.requestTimeout
            ) { messages in
                try await self.converse(messages, about: targets, nonce: nonce, arrival: promise.futureResult)
            }
        } catch {
            try Task.checkCancellation()
            throw AutoNATError(asking: connection.remotePeer, error)
        }
    }

    private func expect(_ expectation: Expectation) -> UInt64 {
        self.expected.withLock { expected in
            while true {
                let nonce = UInt64.random(in: 1...UInt64.max)
                guard expected[nonce] == nil else { continue }
                expected[nonce] = expectation
                return nonce
            }
        }
    }

    private func converse(
        _ messages: MessageStream, about targets: [AutoNATv2Target], nonce: UInt64, arrival: EventLoopFuture<Arrival?>
    ) async throws -> AutoNATv2Result {
        var machine = AutoNATv2ClientStateMachine(
            targets: targets, maximumDialDataByteCount: self.configuration.maximumDialDataByteCount)
        try await messages.write(AutoNATv2Codec.encode(machine.request(nonce: nonce))).get()
        var action = machine.received(try AutoNATv2Codec.decode(try await messages.next()))
        while true {
            switch action {
            case .sendData(let byteCount):
                var left = byteCount
                while left > 0 {
                    let count = min(left, Self.dataPieceByteCount)
                    try await messages.write(AutoNATv2Codec.encode(.dialData(byteCount: count))).get()
                    left -= count
                }
                action = machine.received(try AutoNATv2Codec.decode(try await messages.next()))
            case .awaitDialBack:
                messages.finish()
                action = machine.arrived(try await self.arrival(arrival, nonce: nonce))
            case .finish(let result):
                messages.finish()
                return result
            case .fail(let code, let message):
                throw AutoNATError(code, message)
            }
        }
    }

    /// What has arrived, or does soon.
    private func arrival(_ arrival: EventLoopFuture<Arrival?>, nonce: UInt64) async throws -> Arrival? {
        let giveUp: @Sendable () -> Void = {
            if let left = self.expected.withLock({ $0.removeValue(forKey: nonce) }) { left.promise.succeed(nil) }
        }
        let timer = arrival.eventLoop.scheduleTask(in: TimeAmount(self.configuration.dialBackTimeout), giveUp)
        defer { timer.cancel() }
        return try await withTaskCancellationHandler {
            try await arrival.get()
        } onCancel: {
            giveUp()
        }
    }

    // MARK: Being dialed

    private func accept(_ stream: any Channel, of connection: any Connection) throws {
        // Nothing is expected, or nothing that could be proven this way: not worth a read.
        guard connection.role == .listener, !connection.isRelayed, self.expected.withLock({ !$0.isEmpty }) else {
            return stream.close(promise: nil)
        }
        let messages = try MessageStream(
            on: stream, limit: AutoNATv2Codec.maximumDialBackByteCount, timeout: self.configuration.dialBackTimeout)
        messages.read().flatMapThrowing { bytes in
            try self.received(nonce: try AutoNATv2Codec.decodeDialBack(bytes), on: connection)
        }.whenComplete { result in
            switch result {
            case .success:
                messages.writeLast(AutoNATv2Codec.encodeDialBackResponse())
            case .failure(let error):
                self.logger.debug(
                    "dial back refused",
                    metadata: [
                        "dig.autonat.peer": "\(connection.remotePeer)", "dig.autonat.address": "\(connection.remoteAddress)",
                        "dig.autonat.error": "\(error)",
                    ])
                messages.close()
            }
        }
    }

    private func received(nonce: UInt64, on connection: any Connection) throws {
        guard let expectation = self.expected.withLock({ $0.removeValue(forKey: nonce) }) else {
            throw AutoNATError(.unverified, "nobody waits for this nonce")
        }
        guard expectation.request != connection.id else {
            expectation.promise.succeed(nil)
            throw AutoNATError(.unverified, "the nonce came back the way the request went")
        }
        expectation.promise.succeed(Arrival(local: connection.localAddress, remote: connection.remoteAddress))
    }
}
