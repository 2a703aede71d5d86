import DIGAnnouncement
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGNetTesting
import DIGSwarm
import DIGTestSupport
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import DIGPeerExchange

@Suite("Peer exchange service", .timeLimit(.minutes(10)))
struct PeerExchangeServiceTests {
    /// Nodes in a row: each is connected to the next.
    func row(_ count: Int, _ configure: (inout PeerExchangeConfiguration) -> Void = { _ in }, _ body: @escaping @Sendable ([TestNode]) async throws -> Void) async throws {
        let network = MemoryNetwork()
        var nodes: [TestNode] = []
        for _ in 0..<count { nodes.append(try await TestNode(on: network, configure)) }
        let all = nodes
        try await running(all) {
            for (one, other) in zip(all, all.dropFirst()) { try await one.connect(to: other) }
            try await eventually {
                all.enumerated().allSatisfy { index, node in node.service.statistics.linkCount >= (index == 0 || index == count - 1 ? 1 : 2) }
            }
            try await body(all)
        }
    }

    @Test("A has something and tells B; C, connected to B, asks and finds A, with A's addresses; when A withdraws it, C finds nobody")
    func find() async throws {
        try await self.row(3) { nodes in
            let (a, b, c) = (nodes[0], nodes[1], nodes[2])
            let key = try RendezvousKey.test(1)
            #expect(await c.holders(of: key).isEmpty)
            try a.announce(key)
            try await eventually { a.service.announcedCount(of: key) == 1 }
            let found = await c.holders(of: key)
            #expect(found.map(\.peer) == [a.peer])
            #expect(found.first?.addresses == a.swarm.listenAddresses)
            #expect(await b.holders(of: key).map(\.peer) == [a.peer])
            #expect(await a.holders(of: key).isEmpty)
            #expect(c.service.statistics.announcementCount == 0 && b.service.statistics.announcementCount == 1)

            try a.announce(key, isAvailable: false)
            try await eventually { a.service.announcedCount(of: key) == 1 }
            #expect(await c.holders(of: key).isEmpty)
            #expect(await b.holders(of: key).isEmpty)
        }
    }

    @Test("C, which follows a key, is told of A and of A's withdrawal with the exchanges")
    func follow() async throws {
        try await self.row(3) { nodes in
            let (a, c) = (nodes[0], nodes[2])
            let key = try RendezvousKey.test(2)
            var events = c.service.events.makeAsyncIterator()
            guard let connection = c.swarm.connection(to: nodes[1].peer) else { throw NeverHappened() }
            try c.service.addConnection(connection, for: key)
            try a.announce(key)
            func next() async -> PeerExchangeEvent? {
                while let event = await events.next() {
                    if case .discovered(_, _, nil) = event { continue }
                    return event
                }
                return nil
            }
            #expect(await next() == .discovered(a.peer, addresses: a.swarm.listenAddresses, key: key))
            try a.announce(key, isAvailable: false)
            #expect(await next() == .withdrawn(a.peer, key: key))
        }
    }

    @Test("A and C learn of each other through B and connect; a peer that left is dropped everywhere")
    func exchange() async throws {
        try await self.row(3, { $0.recentLifetime = .milliseconds(100) }) { nodes in
            let (a, b, c) = (nodes[0], nodes[1], nodes[2])
            try await eventually { a.knows(c) && c.knows(a) }
            #expect(a.service.knownPeers.first { $0.peer == c.peer }?.addresses == c.swarm.listenAddresses)
            #expect(a.service.knownPeers.first { $0.peer == c.peer }?.isFirstHand == false)
            #expect(b.service.knownPeers.allSatisfy { $0.isFirstHand && $0.isConnected })
            await c.swarm.shutdown()
            try await eventually { !b.knows(c) && !a.knows(c) }
            #expect(b.knows(a))
        }
    }

    @Test("peers learned of are connected to, until there are enough; where that is switched off they are not")
    func connecting() async throws {
        try await self.row(
            5,
            {
                $0.connectsToLearnedPeers = true
                $0.dialsPerMinute = 600
                $0.redialInterval = .milliseconds(100)
            }
        ) { nodes in
            try await eventually { nodes.allSatisfy { node in node.service.statistics.linkCount == 4 } }
        }
        try await self.row(3) { nodes in
            try await eventually { nodes[0].knows(nodes[2]) }
            #expect(nodes[0].service.statistics.dialsStarted == 0)
        }
    }

    @Test("private addresses that a peer tells are not dialed")
    func strangers() async throws {
        try await self.row(
            3,
            {
                $0.connectsToLearnedPeers = true
                $0.allowsPrivateAddresses = false
            }
        ) { nodes in
            try await eventually { nodes[0].knows(nodes[2]) && nodes[2].knows(nodes[0]) }
            #expect(nodes[0].service.statistics.dialsStarted == 0 && nodes[0].swarm.statistics.openConnections == 1)
        }
    }

    @Test("what can't be announced is refused with its reason")
    func refusals() async throws {
        let node = try await TestNode(on: MemoryNetwork()) { $0.maximumOwnAnnouncements = 1 }
        let other = try Somebody()
        let now = WallClock.nowMilliseconds
        func announcement(_ key: Int, at milliseconds: UInt64) throws -> SignedEnvelope {
            try ContentAnnouncement(peer: node.peer, key: .test(key), timestampMilliseconds: milliseconds).signed(with: node.identity)
        }
        #expect(throws: PeerExchangeError(.notOwn, "")) { try node.service.announce(other.announcement(.test(1), at: now).envelope) }
        #expect(throws: PeerExchangeError(.invalidAnnouncement, "")) { try node.service.announce(try announcement(1, at: 0)) }
        #expect(throws: PeerExchangeError(.invalidAnnouncement, "")) {
            try node.service.announce(SignedEnvelope(decoding: other.record().envelope))
        }
        #expect(try node.service.announce(try announcement(1, at: now)) == 0)
        #expect(throws: PeerExchangeError(.limitExceeded, "")) { try node.service.announce(try announcement(2, at: now)) }
        for index in 0..<64 { try node.service.follow(.test(index)) }
        #expect(throws: PeerExchangeError(.limitExceeded, "")) { try node.service.follow(.test(64)) }
        await node.swarm.shutdown()
    }

    @Test("runs once, and stops when it is cancelled")
    func lifeCycle() async throws {
        let node = try await TestNode(on: MemoryNetwork())
        let events = node.service.events
        let first = Task { try await node.service.run() }
        try await eventually { node.service.isRunning }
        await #expect(throws: PeerExchangeError(.alreadyRunning, "")) { try await node.service.run() }
        first.cancel()
        try await first.value
        for await _ in events {}
        await #expect(throws: PeerExchangeError(.alreadyRunning, "")) { try await node.service.run() }
        await node.swarm.shutdown()
    }

    // MARK: Bad manners

    /// A peer without the service, which writes what it likes.
    func stranger(to node: TestNode, _ body: @escaping @Sendable (any Connection) async throws -> Void) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let swarm = Swarm(identity: try KeyPair.generate(), transports: [MemoryTransport(network: node.network, group: group)], group: group, logger: Logger(label: "test"))
        do {
            try await body(try await swarm.connect(to: node.peer, addresses: node.swarm.listenAddresses))
        } catch {
            await swarm.shutdown()
            throw error
        }
        await swarm.shutdown()
    }

    func open(_ connection: any Connection) async throws -> MessageStream {
        let made = Mutex<MessageStream?>(nil)
        _ = try await connection.openStream(speaking: [PeerExchange.protocolID]) { stream, _ in
            stream.eventLoop.makeCompletedFuture {
                let messages = try MessageStream(on: stream, limit: 1 << 20, timeout: .seconds(20))
                made.withLock { $0 = messages }
            }
        }
        guard let messages = made.withLock({ $0 }) else { throw NeverHappened() }
        return messages
    }

    @Test("a message over the limit, garbage, and a request of a later version: the stream ends, or says so, and the next one works")
    func badMessages() async throws {
        let node = try await TestNode(on: MemoryNetwork())
        try await running([node]) {
            try await self.stranger(to: node) { connection in
                var messages = try await self.open(connection)
                messages.write(ByteBuffer(repeating: 0, count: PeerExchangeLimits.maximumMessageByteCount + 1)).whenFailure { _ in }
                await #expect(throws: ConnectionError.self) { _ = try await messages.read().get() }
                try await eventually { node.service.statistics.malformedMessages == 1 }
                messages = try await self.open(connection)
                messages.write(ByteBuffer(bytes: [0xff, 0xff, 0xff]))
                await #expect(throws: ConnectionError.self) { _ = try await messages.read().get() }
                try await eventually { node.service.statistics.malformedMessages == 2 }
                messages = try await self.open(connection)
                messages.write(ByteBuffer(bytes: [0x7a, 1, 1]))
                #expect(try PeerExchangeCodec.decodeResponse(await messages.read().get()).status == .unsupported)
                messages.close()
                let response = try await PeerExchangeStream.ask(.query(.test(1)), on: connection, timeout: .seconds(10))
                #expect(response == PeerExchangeResponse())
            }
        }
    }

    @Test("streams on which nothing is asked are bounded for each peer, and are closed after a while")
    func idleStreams() async throws {
        let node = try await TestNode(on: MemoryNetwork()) { $0.requestTimeout = .milliseconds(500) }
        try await running([node]) {
            try await self.stranger(to: node) { connection in
                var open: [MessageStream] = []
                for index in 0..<6 {
                    // Those beyond are reset, sooner or later than the name of the protocol is agreed.
                    do { open.append(try await self.open(connection)) } catch is ConnectionError where index >= 4 {}
                }
                try await eventually { node.service.statistics.refusedStreams == 2 }
                #expect(node.service.statistics.inboundStreamCount <= 4)
                try await eventually { node.service.statistics.inboundStreamCount == 0 }
                let response = try await PeerExchangeStream.ask(.query(.test(1)), on: connection, timeout: .seconds(10))
                #expect(response.status == .taken)
                for stream in open { stream.close() }
            }
        }
    }

    @Test("a peer that takes requests and never answers holds nothing up: a search ends, with what others know")
    func silentPeer() async throws {
        let network = MemoryNetwork()
        let (a, b) = (try await TestNode(on: network), try await TestNode(on: network) { $0.requestTimeout = .milliseconds(500) })
        let silent = try await TestNode(on: network)
        silent.swarm.register(PeerExchange.protocolID) { stream, _ in stream.eventLoop.makeSucceededVoidFuture() }
        try await running([a, b]) {
            try await a.connect(to: b)
            try await b.connect(to: silent)
            try await eventually { b.service.statistics.linkCount == 2 }
            let key = try RendezvousKey.test(3)
            try a.announce(key)
            try await eventually { a.service.announcedCount(of: key) == 1 }
            #expect(await b.holders(of: key).map(\.peer) == [a.peer])
            #expect(b.service.statistics.requestsFailed >= 1)
            await silent.swarm.shutdown()
        }
    }
}
