import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGNetTesting
import DIGSwarm
import DIGTestSupport
import Foundation
import Logging
import NIOCore
import Synchronization
import Testing

@testable import DIGKademlia

@Suite("Kademlia service", .timeLimit(.minutes(2)))
struct KademliaServiceTests {
    /// Nodes that all know the first.
    func network(_ count: Int, clients: Int = 0, _ body: @escaping @Sendable ([TestNode]) async throws -> Void) async throws {
        let network = MemoryNetwork()
        var nodes: [TestNode] = []
        for index in 0..<count { nodes.append(try await TestNode(on: network) { if index >= count - clients { $0.mode = .client } }) }
        let all = nodes
        try await running(all) {
            for node in all.dropFirst() { try await node.service.bootstrap(all[0].addresses) }
            try await body(all)
        }
    }

    func found(_ key: [UInt8], by node: TestNode) async -> [FoundProvider] {
        var found: [FoundProvider] = []
        for await provider in node.service.findProviders(of: key) { found.append(provider) }
        return found
    }

    @Test("what one node provides is found by another, signed; withdrawn it is found no more")
    func provide() async throws {
        try await self.network(10, clients: 2) { nodes in
            let (provider, seeker) = (nodes[8], nodes[9])
            let key = Array("what it is".utf8)
            let result = try await provider.service.provide(key)
            #expect(result.asked == 8 && result.stored == 8)
            let found = await self.found(key, by: seeker)
            #expect(found.map(\.peer) == [provider.peer])
            #expect(found.first?.isSigned == true)
            #expect(found.first?.addresses == provider.swarm.listenAddresses)
            #expect(provider.service.statistics.recordsProvided == 8)

            #expect(try await provider.service.stopProviding(key) == 8)
            #expect(await self.found(key, by: seeker).isEmpty)
            #expect(provider.service.statistics.providedKeyCount == 0)
        }
    }

    @Test("clients are in nobody's table; a server that becomes a client leaves the tables of those it is connected to")
    func modes() async throws {
        try await self.network(5, clients: 1) { nodes in
            try await eventually { nodes[0].service.statistics.routingTableCount == 3 }
            #expect(!nodes[0].service.routingTable.joined().contains { $0.peer == nodes[4].peer })
            nodes[1].service.setMode(.client)
            #expect(nodes[1].service.mode == .client)
            try await eventually { !nodes[0].service.routingTable.joined().contains { $0.peer == nodes[1].peer } }
            nodes[1].service.setMode(.server)
            try await eventually { nodes[0].service.routingTable.joined().contains { $0.peer == nodes[1].peer } }
        }
    }

    @Test("a peer is found by those that don't know it, also if it is a client that is connected to one of the others")
    func findPeer() async throws {
        try await self.network(6, clients: 2) { nodes in
            try await eventually { nodes[0].service.statistics.routingTableCount >= 3 }
            let found = try await nodes[4].service.findPeer(nodes[5].peer)
            #expect(found?.addresses == nodes[5].swarm.listenAddresses)
            #expect(try await nodes[4].service.findPeer(nodes[3].peer)?.addresses == nodes[3].swarm.listenAddresses)
            #expect(try await nodes[4].service.findPeer(try KeyPair.generate().peerID) == nil)
        }
    }

    /// Nobody is there; one never says so.
    private struct EmptyNetwork: PeerDialer {
        var localPeer: PeerID
        var silent: PeerID?

        func connection(to peer: PeerID) -> (any Connection)? { nil }

        func connect(to peer: PeerID, addresses: [Multiaddr], options: DialOptions) async throws -> any Connection {
            if peer == self.silent { try await Task.sleep(for: .seconds(3_600)) }
            throw ConnectionError(.allAttemptsFailed, "no route to \(peer)")
        }
    }

    @Test("a search ends at once when all nodes to begin with have failed, and in half the time when one of them says nothing", arguments: [false, true])
    func emptyNetwork(isOneSilent: Bool) async throws {
        let node = try await TestNode(on: MemoryNetwork())
        let contacts = try (0..<5).map { _ in try KeyPair.generate().peerID }
        var configuration = KademliaConfiguration.publicNetwork
        configuration.bootstrapPeers = try contacts.map { try Multiaddr("/ip4/192.0.2.1/tcp/1").withPeerID($0) }
        let service = KademliaService(
            dialer: EmptyNetwork(localPeer: node.peer, silent: isOneSilent ? contacts[0] : nil), router: node.swarm, identity: node.identity,
            configuration: configuration, localAddresses: { [] }, logger: Logger(label: "test"))
        let running = Task { try await service.run() }
        let start = ContinuousClock.now
        for await _ in service.findProviders(of: Array("what it is".utf8)) { Issue.record("found") }
        let duration = ContinuousClock.now - start
        // Ten seconds are what a question may take.
        #expect(duration < .seconds(isOneSilent ? 9 : 4) && (!isOneSilent || duration > .seconds(4)))
        await #expect(throws: KademliaError.self) { _ = try await service.closestPeers(to: [1]) }
        running.cancel()
        _ = await running.result
    }

    @Test("the best value is found, and nodes that had a worse one get it")
    func values() async throws {
        try await self.network(6) { nodes in
            let owner = nodes[2]
            let key = SignedValue.key("x", of: owner.peer)
            func value(_ sequence: UInt64) throws -> [UInt8] {
                try SignedValue(
                    owner: owner.peer, key: key, sequence: sequence, expiresAtMilliseconds: WallClock.nowMilliseconds + 60_000, value: [UInt8(sequence)]
                ).sealed(with: owner.identity)
            }
            let (old, new) = (try value(1), try value(2))
            #expect(try await owner.service.putValue(old, under: key) == ProvideResult(asked: 5, stored: 5))
            #expect(try await nodes[5].service.getValue(under: key, quorum: 100) == old)
            // One node hears of a newer one.
            _ = nodes[3].service.responder.reply(
                to: KademliaMessage(kind: .putValue, key: key, record: ValueRecord(key: key, value: new)), from: owner.peer,
                at: Multiaddr(components: []), moment: .current)
            #expect(try await nodes[4].service.getValue(under: key, quorum: 100) == new)
            #expect(nodes[1].service.responder.state.withLock { $0.values.value(under: key, now: .now)?.value } == new)
            await #expect(throws: KademliaError(.notStored, "")) { try await nodes[5].service.putValue(old, under: key) }

            await #expect(throws: KademliaError(.invalidValue, "")) { try await owner.service.putValue([1], under: key) }
            await #expect(throws: KademliaError(.invalidKey, "")) { _ = try await owner.service.getValue(under: Array("/none/x".utf8)) }
            #expect(try await nodes[0].service.getValue(under: SignedValue.key("none", of: owner.peer)) == nil)
            let publicKey = PublicKeyValidator.key(of: owner.peer)
            try await owner.service.putValue(owner.identity.publicKey.protobufEncoded, under: publicKey)
            #expect(try await nodes[4].service.getValue(under: publicKey) == owner.identity.publicKey.protobufEncoded)
        }
    }

    /// `DIG_PROVIDE_KEYS=10000` is for a run by hand.
    static let keyCount = ProcessInfo.processInfo.environment["DIG_PROVIDE_KEYS"].flatMap { Int($0) } ?? 300

    @Test("many keys are provided in the background over few streams; each is where a lookup finds it")
    func bulk() async throws {
        let count = Self.keyCount
        try await self.network(6) { nodes in
            let keys = (0..<count).map { Array("key \($0)".utf8) }
            let before = nodes[1].service.statistics.requestsSent
            try nodes[1].service.provide(all: keys)
            let began = ContinuousClock.now
            #expect(nodes[1].service.statistics.providedKeyCount == count)
            try await eventually(within: .seconds(900)) { nodes[1].service.statistics.recordsProvided >= count * 5 }
            // A question for each batch and node, and the lookups.
            #expect(nodes[1].service.statistics.requestsSent - before < UInt64(40 + count / KademliaService.maximumBatchCount * 8))
            for node in nodes { try await eventually { node.service.statistics.providerRecordCount == count } }
            print("providing: \(count) keys at 5 nodes within \(ContinuousClock.now - began)")
            #expect(await self.found(keys[17], by: nodes[4]).map(\.peer).contains(nodes[1].peer))
            #expect(throws: KademliaError(.invalidKey, "")) { try nodes[1].service.provide(all: [[]]) }
        }
    }

    @Test("networks of different names do not see each other, though their nodes are connected")
    func names() async throws {
        let network = MemoryNetwork()
        let (here, there) = (try await TestNode(on: network, name: "here"), try await TestNode(on: network, name: "there"))
        try await running([here, there]) {
            _ = try await there.swarm.connect(to: here.peer, addresses: here.swarm.listenAddresses)
            await #expect(throws: KademliaError(.noPeers, "")) { try await there.service.bootstrap(here.addresses) }
            #expect(there.service.statistics.routingTableCount == 0 && here.service.statistics.routingTableCount == 0)
        }
    }

    @Test("what is looked for right after the start waits for the first node; what could not be announced is, as soon as there is one")
    func joining() async throws {
        let network = MemoryNetwork()
        let first = try await TestNode(on: network)
        let beginning = first.addresses
        let provider = try await TestNode(on: network)
        let seeker = try await TestNode(on: network, delay: .milliseconds(20)) { $0.bootstrapPeers = beginning }
        try await running([first, provider, seeker]) {
            await #expect(throws: KademliaError(.noPeers, "")) { try await provider.service.provide([1]) }
            // As when a peer that serves the DHT is found on the same network.
            provider.service.identified(first.peer, protocols: [first.service.protocolID], addresses: first.swarm.listenAddresses)
            try await eventually { first.service.statistics.providerRecordCount == 1 }
            #expect(provider.service.providedKeys == [[1]])
            // Nobody has told the seeker to begin but its configuration.
            #expect(await self.found([1], by: seeker).map(\.peer) == [provider.peer])
        }
    }

    /// ``SimulationTests`` has the figure that does not depend on how busy the machine is.
    @Test("100 nodes 40 ms from each other: announced by one, found by another that has only just come")
    func promptness() async throws {
        let network = MemoryNetwork()
        var nodes: [TestNode] = []
        for _ in 0..<99 { nodes.append(try await TestNode(on: network, delay: .milliseconds(20))) }
        // They have known each other for a while.
        for node in nodes {
            node.service.responder.state.withLock { state in
                for other in nodes where other.peer != node.peer {
                    _ = state.table.insert(KademliaPeer(other.peer, addresses: other.swarm.listenAddresses), network: nil, now: .now)
                }
            }
        }
        let beginning = nodes[40].addresses
        let fresh = try await TestNode(on: network, delay: .milliseconds(20)) { configuration in
            configuration.bootstrapPeers = beginning
            configuration.mode = .client
        }
        let old = nodes
        try await running(old) {
            let began = ContinuousClock.now
            let result = try await old[70].service.provide([1])
            let announced = ContinuousClock.now
            let run = Task {
                async let following: Void = fresh.follow()
                try? await fresh.service.run()
                await following
            }
            var found: FoundProvider?
            for await provider in fresh.service.findProviders(of: [1]) {
                found = provider
                break
            }
            let ended = ContinuousClock.now
            print("announce to found: 100 nodes at 40 ms: announced at \(result.stored) nodes in \(announced - began), found by a fresh node after \(ended - announced)")
            #expect(found?.peer == old[70].peer)
            #expect(ended - began < .seconds(20))
            run.cancel()
            await fresh.swarm.shutdown()
            await run.value
        }
    }

    @Test("without a known node there is nothing to ask")
    func nobody() async throws {
        let node = try await TestNode(on: MemoryNetwork())
        try await running([node]) {
            await #expect(throws: KademliaError(.noPeers, "")) { try await node.service.provide([1]) }
            await #expect(throws: KademliaError(.noPeers, "")) { _ = try await node.service.findPeer(try KeyPair.generate().peerID) }
            await #expect(throws: KademliaError(.noPeers, "")) { try await node.service.bootstrap([]) }
            await #expect(throws: KademliaError(.invalidKey, "")) { try await node.service.provide([]) }
            #expect(await self.found([2], by: node).isEmpty)
            // It stays on the list, and whoever asks this node is told.
            #expect(await self.found([1], by: node).map(\.peer) == [node.peer])
            #expect(node.service.statistics.providedKeyCount == 1)
            await #expect(throws: KademliaError(.alreadyRunning, "")) { try await node.service.run() }
        }
    }

    @Test("the nodes, records, values and what is provided survive a restart")
    func restart() async throws {
        let network = MemoryNetwork()
        let storage = InMemoryKademliaStorage()
        let (first, other) = (try await TestNode(on: network, storage: storage), try await TestNode(on: network))
        let value = PublicKeyValidator.key(of: other.peer)
        try await running([first, other]) {
            try await other.service.bootstrap(first.addresses)
            try await eventually { first.service.statistics.routingTableCount == 1 }
            try await other.service.provide([1])
            try await other.service.putValue(other.identity.publicKey.protobufEncoded, under: value)
            try await first.service.provide([2])
        }
        let saved = try await storage.load(network: "/dig/test/kad/1.0.0")
        #expect(saved.peers.map(\.peer) == [other.peer])
        #expect(saved.providers.count == 2 && saved.values.count == 1 && saved.provided.map(\.key) == [[2]])
        let again = try await TestNode(on: network, storage: storage)
        try await running([again]) {
            try await eventually { again.service.statistics.providedKeyCount == 1 }
            let statistics = again.service.statistics
            #expect(statistics.routingTableCount == 1 && statistics.providerRecordCount == 2 && statistics.valueCount == 1)
        }
    }

    @Test("a value of a mebibyte, bytes that are no message, and too many streams are refused; the node serves on")
    func hostile() async throws {
        try await self.network(2) { nodes in
            let connection = try #require(nodes[1].swarm.connection(to: nodes[0].peer))
            let id = nodes[0].service.protocolID
            func open() async throws -> MessageStream {
                let made = Mutex<MessageStream?>(nil)
                _ = try await connection.openStream(speaking: [id]) { stream, _ in
                    stream.eventLoop.makeCompletedFuture {
                        let messages = try MessageStream(on: stream, limit: 1 << 20, timeout: .seconds(10))
                        made.withLock { $0 = messages }
                    }
                }
                return try #require(made.withLock { $0 })
            }
            let big = try await open()
            let key = SignedValue.key("x", of: nodes[1].peer)
            big.write(KademliaCodec.encode(KademliaMessage(kind: .putValue, key: key, record: ValueRecord(key: key, value: Array(repeating: 1, count: 1 << 20)))))
            await #expect(throws: ConnectionError.self) { _ = try await big.read().get() }
            let garbage = try await open()
            garbage.write(ByteBuffer(bytes: [0xff, 0xff, 0xff]))
            await #expect(throws: ConnectionError.self) { _ = try await garbage.read().get() }
            try await eventually { nodes[0].service.statistics.malformedMessages == 2 }
            #expect(nodes[0].service.statistics.valueCount == 0)

            var streams: [MessageStream] = []
            for _ in 0..<12 {
                // Some are reset before their protocol is agreed.
                do { streams.append(try await open()) } catch is ConnectionError { continue }
            }
            try await eventually { nodes[0].service.statistics.refusedStreams >= 4 }
            #expect(nodes[0].service.statistics.inboundStreamCount <= 8)
            for stream in streams { stream.close() }
            try await eventually { nodes[0].service.statistics.inboundStreamCount <= 2 }
            #expect(try await nodes[1].service.closestPeers(to: [1]).map(\.peer) == [nodes[0].peer])
        }
    }

    @Test("a node that sends unsigned or wrongly signed providers is not believed")
    func disbelieved() async throws {
        try await self.network(3) { nodes in
            let key: [UInt8] = [9]
            // As if node 0 had made them up.
            var generator = SystemRandomNumberGenerator()
            let (peer, other) = (try PeerID.random(using: &generator), try KeyPair.generate())
            let statement = try ProviderStatement(
                provider: other.peerID, key: [8], sequence: 1, expiresAtMilliseconds: WallClock.nowMilliseconds + 60_000, addresses: []
            ).sealed(with: other).encoded
            nodes[0].service.responder.state.withLock { state in
                for (provider, statement) in [(peer, nil), (other.peerID, statement), (peer, statement)] as [(PeerID, [UInt8]?)] {
                    let stored = StoredProvider(provider: provider, addresses: [], statement: statement, sequence: 1, expiresAt: .now + .seconds(60))
                    _ = state.providers.add(stored, under: key, network: nil, now: .now)
                }
            }
            #expect(await self.found(key, by: nodes[2]).isEmpty)
            #expect(nodes[2].service.statistics.disbelievedAnswers == 2)
        }
    }

    @Test("only so many are let through a gate, the others in their order; cancelling takes one out of the line")
    func gate() async throws {
        let gate = RequestGate(count: 1)
        try await gate.enter()
        let order = Mutex<[Int]>([])
        let cancelled = Task { try await gate.enter() }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        let second = Task {
            try await gate.enter()
            order.withLock { $0.append(2) }
            gate.leave()
        }
        #expect(order.withLock { $0.isEmpty })
        gate.leave()
        try await second.value
        #expect(order.withLock { $0 } == [2])
        try await gate.enter()
    }
}
