import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTCP
import Foundation
import Logging
import NIOCore
import NIOPosix
import Testing

/// TCP, Noise, Yamux, identify and ping with py-libp2p (`Interop/py-libp2p`).
@Suite("py-libp2p", .serialized, .timeLimit(.minutes(5)))
struct PyLibp2pTests {
    private static let bulk = 100 * 1024 * 1024

    private func withSwarm(_ body: (Swarm) async throws -> Void) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let swarm = Swarm(
            identity: try KeyPair.generate(), transports: [TCPTransport(group: group)], group: group, logger: Logger(label: "dig.interop"))
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

    @Test("dials us: identify, 1000 pings, 100 concurrent streams, 100 MiB each way")
    func theyDial() async throws {
        try await self.withSwarm { swarm in
            let address = try #require(try await swarm.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0")]).first)
            let peer = try InteropPeer(script: "py-libp2p/peer.py", arguments: ["dial", "\(address.removingPeerID())/p2p/\(swarm.localPeer)"])
            defer { peer.stop() }
            let reports = try await peer.reports(until: "done")

            let connected = try #require(reports.first { $0.event == "connected" })
            #expect(connected.peer == swarm.localPeer.description)
            let identify = try #require(reports.first { $0.event == "identify" })
            #expect(identify.agent?.hasPrefix("dig-nat-tools/") == true)
            #expect(Set(["/ipfs/id/1.0.0", "/ipfs/ping/1.0.0", Echo.protocolID.rawValue]).isSubset(of: identify.protocols ?? []))
            #expect(identify.addresses?.contains("\(address.removingPeerID())") == true)
            #expect(identify.observed?.hasPrefix("/ip4/127.0.0.1/tcp/") == true)
            #expect((identify.signedPeerRecord ?? 0) > 0)
            #expect(reports.first { $0.event == "ping" }?.count == 1000)
            #expect(reports.first { $0.event == "streams" }?.count == 100)
            #expect(reports.first { $0.event == "bulk" }?.bytes == Self.bulk)
        }
    }

    @Test("is dialed by us: identify, 1000 pings, 100 concurrent streams, 100 MiB each way")
    func weDial() async throws {
        let peer = try InteropPeer(script: "py-libp2p/peer.py", arguments: ["listen"])
        defer { peer.stop() }
        let listening = try #require(try await peer.reports(until: "listening").last)
        let address = try Multiaddr(try #require(listening.addresses?.first))

        try await self.withSwarm { swarm in
            let events = swarm.events
            let connection = try await swarm.connect(to: address)
            #expect(connection.remotePeer.description == listening.peer)

            identified: for await event in events {
                guard case .identified(let info) = event, info.peer == connection.remotePeer else { continue }
                #expect(info.agentVersion?.hasPrefix("py-libp2p/") == true)
                #expect(info.protocols.contains(Echo.protocolID))
                #expect(info.listenAddresses.contains(address.removingPeerID()))
                #expect(info.isCertified, "the signed peer record is valid")
                break identified
            }

            for _ in 0..<1000 { _ = try await swarm.ping(connection.remotePeer) }

            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<100 {
                    group.addTask { try await self.echo(10_000 + 997 * index, on: connection) }
                }
                try await group.waitForAll()
            }
            try await self.echo(Self.bulk, on: connection)
        }
    }

    @Test("is refused when another peer was meant")
    func wrongPeer() async throws {
        let peer = try InteropPeer(script: "py-libp2p/peer.py", arguments: ["listen"])
        defer { peer.stop() }
        let listening = try #require(try await peer.reports(until: "listening").last)
        let address = try Multiaddr(try #require(listening.addresses?.first)).removingPeerID()
        let other = try KeyPair.generate().peerID

        try await self.withSwarm { swarm in
            let error = await #expect(throws: ConnectionError.self) { try await swarm.connect(to: other, addresses: [address]) }
            #expect(error.map { "\($0)".contains("not that of the peer expected") } == true, "\(error.map { "\($0)" } ?? "")")
            #expect(swarm.connections.isEmpty)
        }
    }

    @Test("learns that we don't speak a protocol, and goes on")
    func unknownProtocol() async throws {
        let peer = try InteropPeer(script: "py-libp2p/peer.py", arguments: ["listen"])
        defer { peer.stop() }
        let listening = try #require(try await peer.reports(until: "listening").last)

        try await self.withSwarm { swarm in
            let connection = try await swarm.connect(to: Multiaddr(try #require(listening.addresses?.first)))
            await #expect(throws: ConnectionError(.noCommonProtocol, "")) {
                _ = try await connection.openStream(speaking: ["/dig-test/unknown/1.0.0"]) { stream, _ in stream.eventLoop.makeSucceededVoidFuture() }
            }
            try await self.echo(1000, on: connection, speaking: ["/dig-test/unknown/1.0.0", Echo.protocolID])
        }
    }

    private func echo(_ byteCount: Int, on connection: any Connection, speaking protocols: [ProtocolID] = [Echo.protocolID]) async throws {
        let promise = connection.eventLoop.makePromise(of: Void.self)
        let stream: any Channel
        do {
            stream = try await connection.openStream(speaking: protocols) { stream, _ in
                stream.eventLoop.makeCompletedFuture {
                    try stream.pipeline.syncOperations.addHandler(EchoInitiator(byteCount: byteCount, promise: promise))
                }
            }
        } catch {
            promise.fail(error)
            throw error
        }
        try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            stream.close(promise: nil)
        }
    }
}
