import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTCP
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import DIGAccess

/// A peer of the test's own that speaks `/dig/auth/1.0.0` with a real node, message by message, and may answer what it likes.
final class AccessPeer: Sendable {
    let identity: KeyPair
    let connection: any Connection
    private let swarm: Swarm

    private init(identity: KeyPair, swarm: Swarm, connection: any Connection) {
        self.identity = identity
        self.swarm = swarm
        self.connection = connection
    }

    static func connected(to address: Multiaddr, as identity: KeyPair) async throws -> AccessPeer {
        let group = MultiThreadedEventLoopGroup.singleton
        let swarm = Swarm(
            identity: identity, transports: [TCPTransport(group: group)], group: group, logger: Logger(label: "access") { _ in SwiftLogNoOpLogHandler() })
        return AccessPeer(identity: identity, swarm: swarm, connection: try await swarm.connect(to: address))
    }

    func stop() async { await self.swarm.shutdown() }

    /// One exchange.
    ///
    /// - Parameter answer: Given the challenge.
    func exchange(_ answer: (AccessChallengeMessage) throws -> AccessResponse) async throws -> AccessVerdict {
        let made = Mutex<MessageStream?>(nil)
        _ = try await self.connection.openStream(speaking: [AccessHost.protocolID]) { stream, _ in
            stream.eventLoop.makeCompletedFuture {
                let messages = try MessageStream(on: stream, limit: 65_536, timeout: .seconds(10))
                made.withLock { $0 = messages }
            }
        }
        let messages = try #require(made.withLock { $0 })
        defer { messages.close() }
        messages.write(AccessCodec.encode(AccessHello(peer: self.identity.peerID)))
        let challenge = try AccessCodec.decodeChallenge(try await messages.read().get())
        messages.write(AccessCodec.encode(try answer(challenge)))
        return try AccessCodec.decodeVerdict(try await messages.read().get())
    }

    /// As it should be.
    func answer(_ challenge: AccessChallengeMessage) throws -> AccessResponse {
        try AccessExchange.answer(
            challenge, with: AccessCredentials(keyPair: self.identity), host: self.connection.remotePeer, prover: self.identity.peerID,
            channelBinding: self.connection.channelBinding, nowMilliseconds: WallClock.nowMilliseconds)
    }
}
