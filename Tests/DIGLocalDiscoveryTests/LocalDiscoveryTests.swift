import DIGIdentity
import DIGLocalDiscovery
import DIGMultiformats
import Logging
import NIOCore
import NIOPosix
import Testing

/// Real sockets on the loopback interface, on a port of their own.
@Suite("Local discovery service", .timeLimit(.minutes(1)))
struct LocalDiscoveryTests {
    /// A UDP port that nobody else uses while `body` runs.
    static func withPort<Result>(_ body: (UInt16) async throws -> Result) async throws -> Result {
        let channel = try await DatagramBootstrap(group: .singletonMultiThreadedEventLoopGroup).bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(channel.localAddress?.port.flatMap { UInt16(exactly: $0) })
        let result: Result
        do {
            result = try await body(port)
        } catch {
            try await channel.close()
            throw error
        }
        try await channel.close()
        return result
    }

    static func make(_ peer: PeerID, _ address: Multiaddr, port: UInt16) -> LocalDiscovery {
        var configuration = LocalDiscoveryConfiguration()
        configuration.port = port
        configuration.interfaces = .loopback
        return LocalDiscovery(
            identity: peer, addresses: { [address] }, configuration: configuration, group: .singletonMultiThreadedEventLoopGroup,
            logger: Logger(label: "test"))
    }

    @Test("two nodes on one machine find each other and see each other leave")
    func twoNodes() async throws {
        try await Self.withPort { port in
            let alice = try KeyPair.generate().peerID
            let bob = try KeyPair.generate().peerID
            let aliceAddress = try Multiaddr("/ip4/127.0.0.1/tcp/4001")
            let bobAddress = try Multiaddr("/ip4/127.0.0.1/tcp/4002")
            let a = Self.make(alice, aliceAddress, port: port)
            let b = Self.make(bob, bobAddress, port: port)
            var seenByA = a.findPeers().makeAsyncIterator()
            var seenByB = b.findPeers().makeAsyncIterator()
            let runningA = Task { try await a.run() }
            let runningB = Task { try await b.run() }
            let foundByA = await seenByA.next()
            let foundByB = await seenByB.next()
            #expect(foundByA?.peer == bob)
            #expect(foundByA?.addresses == [bobAddress])
            #expect(foundByB?.peer == alice)
            #expect(foundByB?.addresses == [aliceAddress])
            #expect(a.peers.map(\.peer) == [bob])
            // A second reader is told at once.
            var again = a.findPeers().makeAsyncIterator()
            #expect(await again.next()?.peer == bob)

            runningB.cancel()
            try await runningB.value
            #expect(await Self.last(of: &seenByB) == nil)
            // Refreshes may come in between.
            while let event = await seenByA.next(), !event.addresses.isEmpty { #expect(event.peer == bob) }
            #expect(a.peers.isEmpty)
            runningA.cancel()
            try await runningA.value
            #expect(await Self.last(of: &seenByA) == nil)
        }
    }

    @Test("contents that one has are found by the other, before and after it starts, until they are withdrawn")
    func contents() async throws {
        try await Self.withPort { port in
            let (alice, bob) = (try KeyPair.generate().peerID, try KeyPair.generate().peerID)
            let a = Self.make(alice, try Multiaddr("/ip4/127.0.0.1/tcp/4001"), port: port)
            let b = Self.make(bob, try Multiaddr("/ip4/127.0.0.1/tcp/4002"), port: port)
            b.announce(all: (1...3).map(LocalContentTests.key))
            var early = a.findPeers(holding: LocalContentTests.key(1)).makeAsyncIterator()
            let running = [a, b].map { node in Task { try await node.run() } }
            #expect(await early.next()?.peer == bob)
            // In milliseconds, although both have announced themselves a moment ago.
            let start = ContinuousClock.now
            var late = a.findPeers(holding: LocalContentTests.key(2)).makeAsyncIterator()
            #expect(await late.next()?.addresses == [try Multiaddr("/ip4/127.0.0.1/tcp/4002")])
            #expect(ContinuousClock.now - start < .seconds(1))
            // A second reader is told at once.
            var again = a.findPeers(holding: LocalContentTests.key(2)).makeAsyncIterator()
            #expect(await again.next()?.peer == bob)
            b.withdraw(LocalContentTests.key(2))
            #expect(await late.next()?.addresses == [])
            for task in running { task.cancel() }
            for task in running { try await task.value }
            while await early.next() != nil {}
        }
    }

    /// Reads to the end.
    static func last(of events: inout AsyncStream<DiscoveredPeer>.Iterator) async -> DiscoveredPeer? {
        while await events.next() != nil {}
        return await events.next()
    }

    @Test("runs once at a time, and again afterwards")
    func runsOnce() async throws {
        try await Self.withPort { port in
            let node = Self.make(try KeyPair.generate().peerID, try Multiaddr("/ip4/127.0.0.1/tcp/1"), port: port)
            for _ in 0..<2 {
                let first = Task { try await node.run() }
                let second = Task { try await node.run() }
                // Whichever comes second fails at once; the other ends when it is cancelled.
                let failed = await withTaskGroup(of: (any Error)?.self) { group in
                    for task in [first, second] {
                        group.addTask {
                            do {
                                try await task.value
                                return nil
                            } catch {
                                return error
                            }
                        }
                    }
                    let failed = await group.next() ?? nil
                    first.cancel()
                    second.cancel()
                    let other = await group.next() ?? nil
                    #expect(other == nil)
                    return failed
                }
                #expect(failed as? LocalDiscoveryError == LocalDiscoveryError(.alreadyRunning, ""))
            }
        }
    }

    @Test("a machine without a fitting interface is no error")
    func noInterface() async throws {
        var configuration = LocalDiscoveryConfiguration()
        configuration.interfaces = .named(["no-such-interface"])
        let node = LocalDiscovery(
            identity: try KeyPair.generate().peerID, addresses: { [] }, configuration: configuration,
            group: .singletonMultiThreadedEventLoopGroup, logger: Logger(label: "test"))
        let task = Task { try await node.run() }
        task.cancel()
        try await task.value
    }
}
