import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGNetTesting
import DIGSwarm
import DIGTestSupport
import Logging
import NIOCore
import NIOPosix
import OrderedCollections
import Synchronization

@testable import DIGGossipSub

/// A peer that says what the test wants, and notes what it is told.
final class RawPeer: Sendable {
    let identity: KeyPair
    let swarm: Swarm
    private let heard = Mutex<[GossipRPC]>([])
    private let streams = Mutex<[MessageStream]>([])

    var peer: PeerID { self.identity.peerID }
    var rpcs: [GossipRPC] { self.heard.withLock { $0 } }
    var openInboundStreams: Int { self.streams.withLock { $0.count { $0.channel.isActive } } }

    /// - Parameter reads: Otherwise the stream that comes in is left alone.
    init(on network: MemoryNetwork, speaking id: ProtocolID = GossipSubConfiguration.protocolID, reads: Bool = true) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        self.identity = try KeyPair.generate()
        self.swarm = Swarm(
            identity: self.identity, transports: [MemoryTransport(network: network, group: group)], group: group, logger: Logger(label: "test"))
        try await self.swarm.listen(on: [Multiaddr("/memory/0")])
        self.swarm.register(id) { [weak self] stream, _ in
            stream.eventLoop.makeCompletedFuture {
                let messages = try MessageStream(on: stream, limit: reads ? GossipLimits.maximumRPCByteCount : 0, timeout: .seconds(600))
                self?.streams.withLock { $0.append(messages) }
                if reads { self?.listen(messages) }
            }
        }
    }

    private func listen(_ messages: MessageStream) {
        messages.read().whenSuccess { [weak self] bytes in
            do throws(GossipDecodingError) {
                let rpc = try GossipCodec.decode(bytes)
                self?.heard.withLock { $0.append(rpc) }
            } catch {
                return messages.close()
            }
            self?.listen(messages)
        }
    }

    func open(to node: TestNode, speaking id: ProtocolID = GossipSubConfiguration.protocolID) async throws -> MessageStream {
        let connection = try await self.swarm.connect(to: node.peer, addresses: node.swarm.listenAddresses, options: DialOptions())
        let made = Mutex<MessageStream?>(nil)
        _ = try await connection.openStream(speaking: [id]) { stream, _ in
            stream.eventLoop.makeCompletedFuture {
                let messages = try MessageStream(on: stream, limit: 1 << 20, timeout: .seconds(600))
                made.withLock { $0 = messages }
            }
        }
        guard let messages = made.withLock({ $0 }) else { throw NeverHappened() }
        return messages
    }
}
