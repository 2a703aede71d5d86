import DIGGossipSub
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTCP
import Foundation
import Logging
import NIOPosix
import Synchronization
import Testing

/// Gossipsub with py-libp2p (`Interop/py-libp2p/gossipsub.py`), over TCP, Noise and Yamux.
@Suite("py-libp2p: gossipsub", .serialized, .timeLimit(.minutes(3)))
struct GossipSubTests {
    private static let topic = "dig-interop"

    private struct NeverHappened: Error {
        var what: String
    }

    /// A node of ours, subscribed, and what it gets.
    private final class Node: Sendable {
        let identity: KeyPair
        let swarm: Swarm
        let service: GossipSub
        let messages = Mutex<[GossipMessage]>([])

        var peer: PeerID { self.identity.peerID }
        var received: [[UInt8]] { self.messages.withLock { $0.map(\.data) } }

        init(_ algorithm: KeyAlgorithm, _ configure: (inout GossipSubConfiguration) -> Void = { _ in }) async throws {
            let group = MultiThreadedEventLoopGroup.singleton
            let logger = Logger(label: "dig.interop")
            self.identity = try KeyPair.generate(algorithm, rsaKeySize: 2048)
            self.swarm = Swarm(identity: self.identity, transports: [TCPTransport(group: group)], group: group, logger: logger)
            _ = try await self.swarm.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0")])
            var configuration = GossipSubConfiguration()
            configure(&configuration)
            self.service = GossipSub(dialer: self.swarm, router: self.swarm, identity: self.identity, configuration: configuration, logger: logger)
        }

        func run(_ stream: AsyncStream<GossipMessage>, _ body: @escaping @Sendable () async throws -> Void) async throws {
            let result = await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    for await event in self.swarm.events {
                        switch event {
                        case .identified(let info): self.service.identified(info.peer, protocols: info.protocols, signedRecord: info.signedPeerRecord)
                        case .disconnected(let peer): self.service.disconnected(peer)
                        default: continue
                        }
                    }
                }
                group.addTask { try? await self.service.run() }
                group.addTask { for await message in stream { self.messages.withLock { $0.append(message) } } }
                let result: Result<Void, any Error>
                do { result = .success(try await body()) } catch { result = .failure(error) }
                group.cancelAll()
                return result
            }
            await self.swarm.shutdown()
            try result.get()
        }
    }

    private func eventually(_ what: @autoclosure () -> String, _ condition: () -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(30)
        while !condition() {
            guard ContinuousClock.now < end else { throw NeverHappened(what: what()) }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    private func hexadecimal(_ bytes: [UInt8]) -> String { bytes.map { String(format: "%02x", $0) }.joined() }

    /// Both have subscribed and grafted; messages of both go to the other.
    private func converse(_ node: Node, _ peer: InteropPeer, named name: String, sizes: [Int] = [0, 1, 1000, 100_000]) async throws {
        let topic = Self.topic
        try await self.eventually("both are in the mesh") { node.service.peers(in: topic).map(\.description) == [name] && node.service.mesh(of: topic).count == 1 }
        _ = try await peer.reports(until: "grafted")
        for size in sizes {
            let data = (0..<size).map { UInt8(truncatingIfNeeded: $0 &+ size) }
            #expect(try node.service.publish(data, to: topic) == 1)
            let report = try #require(try await peer.reports(until: "message").last)
            #expect(report.peer == node.peer.description && (report.message == self.hexadecimal(data)) as Bool, "\(size) bytes there")

            let before = node.received.count
            let answer = Array(data.reversed()) + [7]
            try peer.send(self.hexadecimal(answer))
            try await self.eventually("\(size) bytes back") { node.received.count > before }
            let message = try #require(node.messages.withLock { $0.last })
            #expect(message.publisher.description == name && (message.data == answer) as Bool, "\(size) bytes back")
            // It tells itself too.
            _ = try await peer.reports(until: "message")
        }
        let statistics = node.service.statistics
        #expect(statistics.invalidSignatures == 0 && statistics.malformedRPCs == 0 && statistics.excessItems == 0)
        #expect(node.service.score(of: try PeerID(name)) > 0)
    }

    @Test("we dial it, we publish and it receives, it publishes and we receive", arguments: [KeyAlgorithm.ed25519, .secp256k1, .rsa])
    func weDial(_ algorithm: KeyAlgorithm) async throws {
        let peer = try InteropPeer(script: "py-libp2p/gossipsub.py", arguments: ["/meshsub/1.1.0", Self.topic])
        defer { peer.stop() }
        let listening = try #require(try await peer.reports(until: "listening").last)
        let address = try Multiaddr(try #require(listening.addresses?.first))
        let name = try #require(listening.peer)
        let node = try await Node(algorithm)
        try await node.run(try node.service.subscribe(Self.topic) { _ in .accept }) {
            _ = try await node.swarm.connect(to: address)
            try await self.converse(node, peer, named: name)
            // Leaving is understood.
            node.service.unsubscribe(Self.topic)
            let left = try await peer.reports(until: "unsubscribed")
            #expect(left.last?.peer == node.peer.description)
        }
    }

    @Test("it dials us, with v1.1 and v1.0", arguments: ["/meshsub/1.1.0", "/meshsub/1.0.0"])
    func itDials(_ id: String) async throws {
        let node = try await Node(.ed25519)
        let address = try #require(node.swarm.listenAddresses.first)
        try await node.run(try node.service.subscribe(Self.topic) { _ in .accept }) {
            let peer = try InteropPeer(script: "py-libp2p/gossipsub.py", arguments: [id, Self.topic, "\(address)/p2p/\(node.peer)"])
            defer { peer.stop() }
            let name = try #require(try await peer.reports(until: "listening").last?.peer)
            try await self.converse(node, peer, named: name, sizes: [1, 10])
            try peer.send("unsubscribe")
            try await self.eventually("it has left") { node.service.peers(in: Self.topic).isEmpty && node.service.mesh(of: Self.topic).isEmpty }
        }
    }

    @Test("a node of ours outside every mesh gets and gives messages by gossip")
    func gossip() async throws {
        // The one place in its mesh is taken by the first.
        let peer = try InteropPeer(script: "py-libp2p/gossipsub.py", arguments: ["--degree", "1", "/meshsub/1.1.0", Self.topic])
        defer { peer.stop() }
        let listening = try #require(try await peer.reports(until: "listening").last)
        let address = try Multiaddr(try #require(listening.addresses?.first))
        let topic = Self.topic
        let node = try await Node(.ed25519)
        // Without a mesh: only IHAVE and IWANT are left, both ways.
        let other = try await Node(.ed25519) {
            ($0.meshDegree, $0.minimumMeshDegree, $0.maximumMeshDegree, $0.outboundMeshDegree, $0.scoredMeshDegree) = (0, 0, 0, 0, 0)
            $0.floodsOwnMessages = false
        }
        try await node.run(try node.service.subscribe(topic) { _ in .accept }) {
            _ = try await node.swarm.connect(to: address)
            try await self.eventually("the first is in the mesh") { node.service.mesh(of: topic).count == 1 }
            _ = try await peer.reports(until: "grafted")
            try await other.run(try other.service.subscribe(topic) { _ in .accept }) {
                _ = try await other.swarm.connect(to: address)
                try await self.eventually("the second knows it") { other.service.peers(in: topic).count == 1 }
                let subscribed = try await peer.reports(until: "subscribed")
                #expect(subscribed.last?.peer == other.peer.description)

                #expect(try other.service.publish([2], to: topic) == 0)
                try await self.eventually("given by gossip") { node.received == [[2]] }
                try node.service.publish([1], to: topic)
                try await self.eventually("got by gossip, \(other.service.statistics)") { other.received == [[1]] }
                let statistics = other.service.statistics
                #expect(statistics.sentGossip >= 1 && statistics.answeredIWant >= 1 && statistics.meshPeerCount == 0)
                #expect(statistics.requestedMessages >= 1 && statistics.brokenPromises == 0 && statistics.invalidSignatures == 0)
            }
        }
    }
}
