import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGWebSocket
import Foundation
import Logging
import NIOCore
import NIOPosix
import Testing

/// Noise and Yamux over WebSockets with py-libp2p (`Interop/py-libp2p/websocket.py`).
@Suite("py-libp2p over WebSockets", .serialized, .timeLimit(.minutes(5)))
struct PyLibp2pWebSocketTests {
    private static let bulk = 10 * 1024 * 1024

    private func withSwarm(_ body: (Swarm) async throws -> Void) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let swarm = Swarm(
            identity: try KeyPair.generate(), transports: [try WebSocketTransport(group: group)], group: group, logger: Logger(label: "dig.interop"))
        swarm.register(Echo.protocolID) { stream, _ in
            stream.eventLoop.makeCompletedFuture { try stream.pipeline.syncOperations.addHandler(EchoResponder()) }
        }
        do {
            try await body(swarm)
        } catch {
            await swarm.shutdown()
            throw error
        }
        await swarm.shutdown()
    }

    @Test("dials us: identify, pings, concurrent streams, 10 MiB each way")
    func theyDial() async throws {
        try await self.withSwarm { swarm in
            let address = try #require(try await swarm.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0/ws")]).first)
            let peer = try InteropPeer(script: "py-libp2p/websocket.py", arguments: ["dial", "\(address)/p2p/\(swarm.localPeer)"])
            defer { peer.stop() }
            let reports = try await peer.reports(until: "done")
            #expect(reports.first { $0.event == "connected" }?.peer == swarm.localPeer.description)
            #expect(reports.first { $0.event == "identify" }?.addresses?.contains("\(address)") == true)
            #expect(reports.first { $0.event == "ping" }?.count == 200)
            #expect(reports.first { $0.event == "streams" }?.count == 20)
            #expect(reports.first { $0.event == "bulk" }?.bytes == Self.bulk)
        }
    }

    @Test("is dialed by us: pings, 10 MiB each way")
    func weDial() async throws {
        let peer = try InteropPeer(script: "py-libp2p/websocket.py", arguments: ["listen"])
        defer { peer.stop() }
        let listening = try #require(try await peer.reports(until: "listening").last)
        let address = try Multiaddr(try #require(listening.addresses?.first))
        try await self.withSwarm { swarm in
            let connection = try await swarm.connect(to: address)
            #expect(connection.remotePeer.description == listening.peer)
            for _ in 0..<200 { _ = try await swarm.ping(connection.remotePeer) }
            let promise = connection.eventLoop.makePromise(of: Void.self)
            do {
                _ = try await connection.openStream(speaking: [Echo.protocolID]) { stream, _ in
                    stream.eventLoop.makeCompletedFuture {
                        try stream.pipeline.syncOperations.addHandler(EchoInitiator(byteCount: Self.bulk, promise: promise))
                    }
                }
            } catch {
                promise.fail(error)
                throw error
            }
            try await promise.futureResult.get()
        }
    }
}
