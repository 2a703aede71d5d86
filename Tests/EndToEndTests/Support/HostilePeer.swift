import DIGContent
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTCP
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import DIGTransfer

/// A libp2p peer inside the test that speaks the transfer protocol and does not keep to it.
final class HostilePeer: Sendable {
    /// What clients asked of it.
    struct Log: Sendable {
        var describeCount = 0
        var chunkCount = 0
        /// Streams that are over: the client had enough, or the connection ended.
        var endedStreamCount = 0
    }

    let log: Watched<Log>
    /// With its peer id.
    let address: Multiaddr
    private let swarm: Swarm

    private init(swarm: Swarm, address: Multiaddr, log: Watched<Log>) {
        self.swarm = swarm
        self.address = address
        self.log = log
    }

    var peerID: PeerID { self.swarm.localPeer }

    static func start(_ file: SampleFile, _ change: (inout LyingHost.Script) -> Void = { _ in }) async throws -> HostilePeer {
        var draft = LyingHost.Script()
        change(&draft)
        let script = draft
        let group = MultiThreadedEventLoopGroup.singleton
        let swarm = Swarm(
            identity: try KeyPair.generate(), transports: [TCPTransport(group: group)], group: group,
            logger: Logger(label: "hostile") { _ in SwiftLogNoOpLogHandler() })
        let log = Watched(Log())
        swarm.register("/dig/transfer/1.0.0") { stream, _ in
            stream.eventLoop.makeCompletedFuture { try stream.pipeline.syncOperations.addHandler(LyingHost(file, script, asked: log)) }
        }
        let address = try #require(try await swarm.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0")]).first)
        return HostilePeer(swarm: swarm, address: address.removingPeerID().withPeerID(swarm.localPeer), log: log)
    }

    func stop() async { await self.swarm.shutdown() }
}
