import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGNetTesting
import DIGSwarm
import DIGTestSupport
import NIOCore
import OrderedCollections
import Synchronization
import Testing

@testable import DIGGossipSub

@Suite("Gossipsub service", .timeLimit(.minutes(2)))
struct GossipSubTests {
    private let topic = "dig-test"

    /// What comes under a topic, noted as it comes.
    final class Reader: Sendable {
        private let messages = Mutex<[GossipMessage]>([])
        var all: [GossipMessage] { self.messages.withLock { $0 } }
        var data: Set<[UInt8]> { Set(self.all.map(\.data)) }

        func follow(_ stream: AsyncStream<GossipMessage>) async {
            for await message in stream { self.messages.withLock { $0.append(message) } }
        }
    }

    private func reading(
        _ nodes: [TestNode], topic: String, verdict: @escaping @Sendable (GossipMessage) -> GossipVerdict = { _ in .accept },
        body: @escaping @Sendable ([Reader]) async throws -> Void
    ) async throws {
        let readers = nodes.map { _ in Reader() }
        let streams = try nodes.map { try $0.service.subscribe(topic, validator: verdict) }
        try await running(nodes) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (reader, stream) in zip(readers, streams) { group.addTask { await reader.follow(stream) } }
                defer { group.cancelAll() }
                try await body(readers)
            }
        }
    }

    @Test("what one publishes the other gets, both ways, whoever has dialed, with every kind of key", arguments: [KeyAlgorithm.ed25519, .rsa])
    func twoNodes(_ algorithm: KeyAlgorithm) async throws {
        let network = MemoryNetwork()
        let nodes = [try await TestNode(on: network, algorithm: algorithm), try await TestNode(on: network)]
        let topic = self.topic
        try await self.reading(nodes, topic: topic) { readers in
            try await nodes[0].connect(to: nodes[1])
            for (node, other) in [(nodes[0], nodes[1]), (nodes[1], nodes[0])] {
                try await eventually { node.service.peers(in: topic) == [other.peer] && node.service.mesh(of: topic) == [other.peer] }
            }
            #expect(try nodes[0].service.publish([1], to: topic) == 1)
            #expect(try nodes[1].service.publish([2], to: topic) == 1)
            try await eventually { readers[1].data == [[1]] && readers[0].data == [[2]] }
            let message = try #require(readers[1].all.first)
            #expect(message.publisher == nodes[0].peer && message.topic == topic && message.sequenceNumber.count == 8)
            // Nobody to send it to.
            #expect(try nodes[0].service.publish([1], to: "nobody") == 0)
            #expect(nodes[0].service.statistics.published == 2 && nodes[0].service.statistics.malformedRPCs == 0)
            #expect(nodes[0].service.score(of: nodes[1].peer) > 0)
        }
    }

    @Test("messages get around a ring of twelve, each once to each")
    func ring() async throws {
        let network = MemoryNetwork()
        var nodes: [TestNode] = []
        for _ in 0..<12 { nodes.append(try await TestNode(on: network)) }
        let (all, topic) = (nodes, self.topic)
        try await self.reading(all, topic: topic) { readers in
            for index in all.indices { try await all[index].connect(to: all[(index + 1) % all.count]) }
            for node in all { try await eventually { node.service.mesh(of: topic).count == 2 } }
            for (index, node) in all.enumerated() { try node.service.publish([UInt8(index)], to: topic) }
            for (index, reader) in readers.enumerated() {
                let expected = Set(all.indices.filter { $0 != index }.map { [UInt8($0)] })
                try await eventually { reader.data == expected }
            }
            #expect(readers.allSatisfy { $0.all.count == 11 })
        }
    }

    @Test("what a validator rejects or ignores is not delivered and not passed on")
    func validators() async throws {
        let network = MemoryNetwork()
        let nodes = [try await TestNode(on: network), try await TestNode(on: network), try await TestNode(on: network)]
        let topic = self.topic
        try await self.reading(nodes, topic: topic, verdict: { $0.data == [0] ? .reject : $0.data == [1] ? .ignore : .accept }) { readers in
            try await nodes[0].connect(to: nodes[1])
            try await nodes[1].connect(to: nodes[2])
            try await eventually { nodes[1].service.mesh(of: topic).count == 2 && nodes[2].service.mesh(of: topic).count == 1 }
            try nodes[0].service.publish([1], to: topic)
            try nodes[0].service.publish([2], to: topic)
            try nodes[0].service.publish([0], to: topic)
            try await eventually { nodes[1].service.statistics.rejected == 1 && readers[2].data == [[2]] }
            #expect(readers[1].data == [[2]] && nodes[1].service.statistics.ignored == 1)
            #expect(nodes[1].service.score(of: nodes[0].peer) < -50 && nodes[2].service.statistics.rejected == 0)
        }
    }

    @Test("a node that was away gets messages again")
    func reconnecting() async throws {
        let network = MemoryNetwork()
        let nodes = [try await TestNode(on: network), try await TestNode(on: network)]
        let topic = self.topic
        try await self.reading(nodes, topic: topic) { readers in
            for round in 0..<3 {
                try await nodes[round % 2].connect(to: nodes[1 - round % 2])
                try await eventually { nodes.allSatisfy { $0.service.mesh(of: topic).count == 1 } }
                try nodes[0].service.publish([UInt8(round)], to: topic)
                try await eventually { readers[1].data.contains([UInt8(round)]) }
                await nodes[0].swarm.connection(to: nodes[1].peer)?.close()
                try await eventually { nodes.allSatisfy { $0.service.statistics.peerCount == 0 } }
            }
        }
    }

    @Test("a stream that ends with one of two connections is opened again on the other")
    func secondConnection() async throws {
        let network = MemoryNetwork()
        let nodes = [try await TestNode(on: network), try await TestNode(on: network)]
        let topic = self.topic
        try await self.reading(nodes, topic: topic) { readers in
            try await nodes[0].connect(to: nodes[1])
            try await eventually { nodes.allSatisfy { $0.service.mesh(of: topic).count == 1 } }
            let first = try #require(nodes[0].swarm.connection(to: nodes[1].peer))
            var options = DialOptions()
            options.requiresNew = true
            _ = try await nodes[0].swarm.connect(to: nodes[1].peer, addresses: nodes[1].swarm.listenAddresses, options: options)
            await first.close()
            try await eventually { nodes.allSatisfy { $0.service.mesh(of: topic).count == 1 && $0.swarm.statistics.openConnections == 1 } }
            try await eventually {
                nodes.allSatisfy { node in
                    node.service.state.withLock { state in
                        let link = state.links.values.first
                        return link?.inbound?.messages.channel.isActive == true && link?.outbound?.messages.channel.isActive == true
                            && link?.outbound?.connection != first.id
                    }
                }
            }
            try await eventually { nodes.allSatisfy { $0.service.mesh(of: topic).count == 1 } }
            try nodes[0].service.publish([1], to: topic)
            try nodes[1].service.publish([2], to: topic)
            try await eventually { readers[1].data == [[1]] && readers[0].data == [[2]] }
        }
    }

    @Test("unsubscribing ends the stream and the mesh; so does it when nobody reads any more")
    func unsubscribing() async throws {
        let network = MemoryNetwork()
        let (node, other) = (try await TestNode(on: network), try await TestNode(on: network))
        let topic = self.topic
        _ = try other.service.subscribe("other") { _ in .accept }
        try await running([node, other]) {
            try await node.connect(to: other)
            let stream = try node.service.subscribe(topic) { _ in .accept }
            #expect(throws: GossipSubError(.alreadySubscribed, "")) { try node.service.subscribe(topic) { _ in .accept } }
            try await eventually { other.service.peers(in: topic) == [node.peer] }
            node.service.unsubscribe(topic)
            for await _ in stream {}
            try await eventually { other.service.peers(in: topic).isEmpty }
            #expect(node.service.topics.isEmpty)

            let again = try node.service.subscribe(topic) { _ in .accept }
            let reading = Task { for await _ in again {} }
            try await eventually { other.service.peers(in: topic) == [node.peer] }
            reading.cancel()
            try await eventually { node.service.topics.isEmpty && other.service.peers(in: topic).isEmpty }
        }
    }

    @Test("what can't be published or subscribed to is refused")
    func errors() async throws {
        let node = try await TestNode(on: MemoryNetwork()) {
            $0.maximumSubscriptions = 2
            $0.maximumMessageByteCount = 100
        }
        #expect(throws: GossipSubError(.messageTooLong, "")) { try node.service.publish(Array(repeating: 0, count: 101), to: "a") }
        #expect(throws: GossipSubError(.invalidTopic, "")) { try node.service.publish([], to: "") }
        #expect(throws: GossipSubError(.invalidTopic, "")) { try node.service.subscribe(String(repeating: "x", count: 513)) { _ in .accept } }
        let streams = try ["a", "b"].map { try node.service.subscribe($0) { _ in .accept } }
        #expect(throws: GossipSubError(.limitExceeded, "")) { try node.service.subscribe("c") { _ in .accept } }
        #expect(try node.service.publish(Array(repeating: 0, count: 100), to: "a") == 0)
        try await running([node]) {
            try await eventually { node.service.state.withLock { $0.hasRun } }
            await #expect(throws: GossipSubError(.alreadyRunning, "")) { try await node.service.run() }
        }
        // They end with the service.
        for stream in streams { for await _ in stream {} }
        let wrong = try await TestNode(on: MemoryNetwork()) { $0.meshDegree = 100 }
        await #expect(throws: GossipSubError(.invalidConfiguration, "")) { try await wrong.service.run() }
        await wrong.swarm.shutdown()
    }

    @Test("direct peers are dialed, and get messages outside the mesh")
    func directPeers() async throws {
        let network = MemoryNetwork()
        let other = try await TestNode(on: network)
        let addresses = other.swarm.listenAddresses
        let node = try await TestNode(on: network) { $0.directPeers = [other.peer: addresses] }
        let topic = self.topic
        try await self.reading([node, other], topic: topic) { readers in
            try await eventually { node.service.peers(in: topic) == [other.peer] }
            try node.service.publish([1], to: topic)
            try await eventually { readers[1].data == [[1]] }
            #expect(node.service.mesh(of: topic).isEmpty)
        }
    }

    @Test("peers named by somebody trusted are dialed")
    func exchange() async throws {
        let network = MemoryNetwork()
        let named = try await TestNode(on: network)
        let address = try Multiaddr("/ip4/203.0.113.9/tcp/4001")
        let record = try PeerRecord(peer: named.peer, sequence: 1, addresses: [address]).sealed(with: named.identity).encoded
        let node = try await TestNode(on: network) { $0.score.applicationScore = { _ in 1000 } }
        let raw = try await RawPeer(on: network)
        let (topic, peer) = (self.topic, named.peer)
        try await self.reading([node], topic: topic) { _ in
            let stream = try await raw.open(to: node)
            stream.write(GossipCodec.encode(GossipRPC(prune: [.init(topic: topic, backoffSeconds: 60, peers: [.init(peer: peer, record: record)])])))
            try await eventually { node.service.statistics.exchangedPeers == 1 }
        }
        await raw.swarm.shutdown()
        await named.swarm.shutdown()
    }

    // MARK: Peers of the test's own

    @Test("a peer that knows v1.0 only is spoken to in it", arguments: [GossipSubConfiguration.protocolID, GossipSubConfiguration.oldProtocolID])
    func versions(_ id: ProtocolID) async throws {
        let network = MemoryNetwork()
        let node = try await TestNode(on: network)
        let raw = try await RawPeer(on: network, speaking: id)
        let topic = self.topic
        try await self.reading([node], topic: topic) { readers in
            let stream = try await raw.open(to: node, speaking: id)
            stream.write(GossipCodec.encode(GossipRPC(subscriptions: [.init(topic: topic, isSubscribed: true)])))
            try await eventually { raw.rpcs.first?.subscriptions == [.init(topic: topic, isSubscribed: true)] }
            try await eventually { raw.rpcs.contains { $0.graft == [topic] } }
            let message = try GossipMessage.signed(topic: topic, data: [5], sequence: 1, with: raw.identity)
            stream.write(GossipCodec.encode(GossipRPC(messages: [message])))
            try await eventually { readers[0].data == [[5]] }
            node.service.unsubscribe(topic)
            try await eventually { raw.rpcs.contains { !$0.prune.isEmpty } }
            let prune = try #require(raw.rpcs.flatMap(\.prune).first)
            #expect(prune.backoffSeconds == (id == GossipSubConfiguration.protocolID ? 10 : nil))
        }
        await raw.swarm.shutdown()
    }

    @Test("a giant RPC, one that is none, and unsigned messages are counted; the node serves on, and hears no more of the peer")
    func hostile() async throws {
        let network = MemoryNetwork()
        let nodes = [try await TestNode(on: network), try await TestNode(on: network)]
        let raw = try await RawPeer(on: network)
        let topic = self.topic
        try await self.reading(nodes, topic: topic) { readers in
            try await nodes[0].connect(to: nodes[1])
            let giant = try await raw.open(to: nodes[0])
            giant.write(ByteBuffer(repeating: 0, count: (1 << 20) + 1))
            await #expect(throws: ConnectionError.self) { _ = try await giant.read().get() }
            let garbage = try await raw.open(to: nodes[0])
            garbage.write(ByteBuffer(bytes: [0xff, 0xff, 0xff]))
            await #expect(throws: ConnectionError.self) { _ = try await garbage.read().get() }
            try await eventually { nodes[0].service.statistics.malformedRPCs == 2 }

            let stream = try await raw.open(to: nodes[0])
            var forged: [GossipMessage] = []
            for number in 0..<10 {
                let real = try GossipMessage.signed(topic: topic, data: [1], sequence: UInt64(number + 1), with: raw.identity)
                forged.append(
                    GossipMessage(
                        publisher: nodes[1].peer, sequenceNumber: real.sequenceNumber, topic: topic, data: [1], signature: real.signature))
            }
            stream.write(GossipCodec.encode(GossipRPC(messages: forged)))
            try await eventually { nodes[0].service.statistics.invalidSignatures == 4 }
            #expect(nodes[0].service.score(of: raw.peer) < -1000)
            // Also what is right.
            stream.write(GossipCodec.encode(GossipRPC(messages: [try .signed(topic: topic, data: [2], sequence: 100, with: raw.identity)])))
            try await eventually { nodes[0].service.statistics.graylistedRPCs >= 1 }
            // A new stream is refused.
            await #expect(throws: ConnectionError.self) { _ = try await raw.open(to: nodes[0]).read().get() }
            try await eventually { nodes[0].service.statistics.refusedStreams == 1 }

            try nodes[1].service.publish([3], to: topic)
            try await eventually { readers[0].data == [[3]] }
            #expect(readers[0].all.count == 1)
        }
        await raw.swarm.shutdown()
    }

    @Test("each stream of a peer takes the place of the one before")
    func streams() async throws {
        let network = MemoryNetwork()
        let node = try await TestNode(on: network)
        let raw = try await RawPeer(on: network)
        let topic = self.topic
        try await self.reading([node], topic: topic) { _ in
            let first = try await raw.open(to: node)
            first.write(GossipCodec.encode(GossipRPC(subscriptions: [.init(topic: topic, isSubscribed: true)])))
            try await eventually { node.service.peers(in: topic) == [raw.peer] }
            let second = try await raw.open(to: node)
            await #expect(throws: ConnectionError.self) { _ = try await first.read().get() }
            // It begins anew.
            try await eventually { node.service.peers(in: topic).isEmpty }
            second.write(GossipCodec.encode(GossipRPC(subscriptions: [.init(topic: topic, isSubscribed: true)])))
            try await eventually { node.service.peers(in: topic) == [raw.peer] }
            #expect(node.service.statistics.peerCount == 1 && raw.openInboundStreams == 1)
        }
        await raw.swarm.shutdown()
    }

    @Test("a peer that does not read holds nobody up; what waits for it has a bound, the rest is dropped")
    func slowPeer() async throws {
        let network = MemoryNetwork()
        let nodes = [
            try await TestNode(on: network) {
                $0.maximumQueueByteCount = 1 << 20
                $0.heartbeatInterval = .milliseconds(50)
            }, try await TestNode(on: network) { $0.maximumBufferedDeliveries = 1000 },
        ]
        let raw = try await RawPeer(on: network, reads: false)
        let topic = self.topic
        try await self.reading(nodes, topic: topic) { readers in
            try await nodes[0].connect(to: nodes[1])
            let stream = try await raw.open(to: nodes[0])
            stream.write(GossipCodec.encode(GossipRPC(subscriptions: [.init(topic: topic, isSubscribed: true)])))
            try await eventually { nodes[0].service.mesh(of: topic).count == 2 }
            for number in 0..<40 {
                #expect(try nodes[0].service.publish([UInt8(number)] + Array(repeating: 0, count: 100_000), to: topic) == 2)
                try await eventually { readers[1].all.count == number + 1 }
                #expect(nodes[0].service.statistics.queuedByteCount <= 2 << 20)
            }
            #expect(nodes[0].service.statistics.droppedMessages >= 10)
        }
        await raw.swarm.shutdown()
    }

    @Test("deliveries that nobody reads are dropped, the oldest first")
    func slowReader() async throws {
        let network = MemoryNetwork()
        let (node, other) = (try await TestNode(on: network) { $0.maximumBufferedDeliveries = 3 }, try await TestNode(on: network))
        let topic = self.topic
        let stream = try node.service.subscribe(topic) { _ in .accept }
        try await running([node, other]) {
            try await other.connect(to: node)
            try await eventually { other.service.peers(in: topic) == [node.peer] }
            for number in 0..<10 { try other.service.publish([UInt8(number)], to: topic) }
            try await eventually { node.service.statistics.delivered == 10 && node.service.statistics.droppedDeliveries == 7 }
        }
        var data: [[UInt8]] = []
        for await message in stream { data.append(message.data) }
        #expect(data == [[7], [8], [9]])
    }
}
