import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGTestSupport
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import DIGSwarm

@Suite("Swarm", .timeLimit(.minutes(2)))
struct SwarmTests {
    @Test("two nodes exchange 1000 pings", arguments: Medium.allCases)
    func pings(medium: Medium) async throws {
        try await withNodes(medium) { nodes in
            let (a, b) = (try await nodes.make(), try await nodes.make())
            let connection = try await a.connect(to: b)
            #expect(connection.remotePeer == b.localPeer)
            #expect(connection.remotePublicKey == b.identity.publicKey)
            #expect(connection.localPeer == a.localPeer)
            #expect(connection.role == .dialer)
            #expect(connection.remoteAddress == b.listenAddresses.first)
            for _ in 0..<500 { #expect(try await a.ping(b.localPeer) > .zero) }
            try await eventually { b.connection(to: a.localPeer) != nil }
            for _ in 0..<500 { #expect(try await b.ping(a.localPeer) > .zero) }
            #expect(b.connection(to: a.localPeer)?.channelBinding == connection.channelBinding)
            #expect(a.statistics.bytesSent > 500 * 64)
            #expect(a.statistics.bytesReceived > 500 * 64)
        }
    }

    @Test("100 streams at once carry their own bytes", arguments: Medium.allCases)
    func streams(medium: Medium) async throws {
        try await withNodes(medium) { nodes in
            let (a, b) = (try await nodes.make(), try await nodes.make())
            let connection = try await a.connect(to: b)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<100 {
                    group.addTask {
                        let bytes = ByteBuffer(repeating: UInt8(index), count: 10_000 + index)
                        let answer = try await connection.echo(bytes)
                        #expect(answer == bytes)
                    }
                }
                try await group.waitForAll()
            }
            try await eventually { a.statistics.openStreams == 0 && b.statistics.openStreams == 0 }
        }
    }

    @Test("whoever is not the peer dialed is refused, and no stream of its reaches an application", arguments: Medium.allCases)
    func wrongPeer(medium: Medium) async throws {
        try await withNodes(medium) { nodes in
            let (a, b) = (try await nodes.make(), try await nodes.make())
            let other = try KeyPair.generate().peerID
            let error = await #expect(throws: ConnectionError.self) {
                _ = try await a.connect(to: other, addresses: b.listenAddresses)
            }
            #expect(error?.code == .allAttemptsFailed)
            let cause = try #require(error?.cause as? DialError)
            #expect(cause.attempts.map { ($0.error as? ConnectionError)?.code } == [.peerMismatch])
            #expect(a.connections.isEmpty)
            try await eventually { b.statistics.inboundHandshakes == 0 }
            #expect(b.connections.isEmpty)

            // An address that names somebody else is not even dialed.
            let named = b.listenAddresses.map { $0.withPeerID(b.localPeer) }
            await #expect(throws: ConnectionError(.allAttemptsFailed, "")) { _ = try await a.connect(to: other, addresses: named) }
        }
    }

    @Test("a failed dial names every address with its cause")
    func attempts() async throws {
        try await withNodes(.tcp) { nodes in
            let a = try await nodes.make { $0.addressFilter = { $0.components.first != .ip4(IPv4Address(203, 0, 113, 1)) } }
            // Where no other test listens, who might get the same port.
            let gone = try await nodes.make(listening: false)
            try await gone.listen(on: [Multiaddr("/ip4/127.0.0.9/tcp/0")])
            let closed = gone.listenAddresses
            await gone.shutdown()
            let addresses = try closed + ["/ip4/127.0.0.1/udp/1/quic-v1", "/dnsaddr/example.com", "/ip4/203.0.113.1/tcp/1"].map { try Multiaddr($0) }
            let error = await #expect(throws: ConnectionError.self) { _ = try await a.connect(to: gone.localPeer, addresses: addresses) }
            let text = try #require(error).description
            #expect(text.hasPrefix("could not connect to \(gone.localPeer): "))
            #expect(text.contains("\(closed[0]): connection refused"))
            #expect(text.contains("/ip4/127.0.0.1/udp/1/quic-v1: no transport dials this address"))
            #expect(text.contains("/dnsaddr/example.com: dnsaddr names need TXT records"))
            #expect(text.contains("/ip4/203.0.113.1/tcp/1: the configuration forbids this address"))
            await #expect(throws: ConnectionError(.allAttemptsFailed, "")) { _ = try await a.connect(to: gone.localPeer, addresses: []) }
        }
    }

    @Test("an address that does not answer delays the next one by the stagger only, and its attempt is closed")
    func race() async throws {
        try await withNodes(.tcp) { nodes in
            let (a, b) = (try await nodes.make(), try await nodes.make())
            let accepted = nodes.group.next().makePromise(of: (any Channel).self)
            let silent = try await nodes.transport.listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0")) { channel, _ in
                accepted.succeed(channel)
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            let connection = try await a.connect(to: b.localPeer, addresses: [silent.address] + b.listenAddresses)
            #expect(connection.remoteAddress == b.listenAddresses[0])
            try await accepted.futureResult.get().closeFuture.get()
            #expect(a.statistics.openConnections == 1)
            await silent.close()
        }
    }

    @Test("names are resolved and raced with the rest")
    func names() async throws {
        try await withNodes(.tcp) { nodes in
            let (a, b) = (try await nodes.make(), try await nodes.make())
            let address = Multiaddr(components: [.dns4("localhost")] + b.listenAddresses[0].components.dropFirst())
            let connection = try await a.connect(to: address)
            #expect(connection.remotePeer == b.localPeer)
            #expect(connection.remoteAddress == b.listenAddresses[0])
            let error = await #expect(throws: ConnectionError.self) {
                _ = try await a.connect(to: Multiaddr(components: [.dns4("no..name"), .tcp(1)]))
            }
            #expect(error?.description.contains("no..name can't be resolved") == true)
        }
    }

    @Test("an address without a peer id connects to whoever answers; one with it pins")
    func byAddress() async throws {
        try await withNodes(.memory) { nodes in
            let (a, b) = (try await nodes.make(), try await nodes.make())
            let first = try await a.connect(to: b.listenAddresses[0])
            #expect(first.remotePeer == b.localPeer)
            let second = try await a.connect(to: b.listenAddresses[0].withPeerID(b.localPeer))
            #expect(second === first)
            await #expect(throws: ConnectionError(.peerMismatch, "")) { _ = try await a.connect(to: a.localPeer, addresses: a.listenAddresses) }
            let error = await #expect(throws: ConnectionError.self) { _ = try await a.connect(to: a.listenAddresses[0]) }
            #expect(error?.description.contains("this node itself") == true)
        }
    }

    @Test("many callers share one dial and one connection")
    func joins() async throws {
        try await withNodes(.memory) { nodes in
            let (a, b) = (try await nodes.make(), try await nodes.make())
            let ids = try await withThrowingTaskGroup(of: ConnectionID.self) { group in
                for _ in 0..<20 { group.addTask { try await a.connect(to: b).id } }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(ids.count == 1)
            #expect(a.statistics.openConnections == 1)
        }
    }

    @Test("nodes that dial each other at the same time end with one and the same connection, and no stream is lost", arguments: Medium.allCases)
    func simultaneous(medium: Medium) async throws {
        try await withNodes(medium) { nodes in
            for _ in 0..<10 {
                let (a, b) = (try await nodes.make(), try await nodes.make())
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (from, to) in [(a, b), (b, a)] {
                        group.addTask {
                            let connection = try await from.connect(to: to)
                            let bytes = ByteBuffer(string: "\(from.localPeer)")
                            let answer = try await connection.echo(bytes)
                            #expect(answer == bytes)
                        }
                    }
                    try await group.waitForAll()
                }
                try await eventually { a.statistics.openConnections == 1 && b.statistics.openConnections == 1 }
                #expect(a.connection(to: b.localPeer)?.channelBinding == b.connection(to: a.localPeer)?.channelBinding)
                await a.shutdown()
            }
        }
    }

    @Test("of two connections the dialer of the redundant one closes it, but not while a stream is open")
    func redundant() async throws {
        try await withNodes(.memory) { nodes in
            var pair = [try await nodes.make(), try await nodes.make()]
            pair.sort { $0.localPeer < $1.localPeer }
            let (low, high) = (pair[0], pair[1])
            // Dialed by the higher one, and in use.
            let first = try await high.connect(to: low)
            let stream = try await first.openEcho()
            // The address does not say who is there, so this dials again.
            let second = try await low.connect(to: high.listenAddresses[0])
            #expect(second.role == .dialer)
            try await eventually { high.connection(to: low.localPeer)?.channelBinding == second.channelBinding }
            #expect(low.connection(to: high.localPeer) === second)
            let bytes = ByteBuffer(string: "still here")
            for _ in 0..<3 { #expect(try await first.echo(bytes) == bytes) }
            #expect(low.statistics.openConnections == 2)
            stream.close(promise: nil)
            try await eventually { low.statistics.openConnections == 1 && high.statistics.openConnections == 1 }
            #expect(try await second.echo(bytes) == bytes)
            await #expect(throws: ConnectionError(.closed, "")) { _ = try await first.echo(bytes) }
        }
    }

    @Test("a protocol that nobody answers is refused")
    func unknownProtocol() async throws {
        try await withNodes(.memory) { nodes in
            let (a, b) = (try await nodes.make(), try await nodes.make())
            let connection = try await a.connect(to: b)
            await #expect(throws: ConnectionError(.noCommonProtocol, "")) {
                _ = try await connection.openStream(speaking: ["/test/none/1.0.0"]) { stream, _ in stream.eventLoop.makeSucceededVoidFuture() }
            }
            b.unregister(Nodes.echo)
            await #expect(throws: ConnectionError(.noCommonProtocol, "")) { _ = try await connection.openEcho() }
            b.register("/test/second/1.0.0") { stream, _ in stream.eventLoop.makeSucceededVoidFuture() }
            let agreed = Mutex<ProtocolID?>(nil)
            let stream = try await connection.openStream(speaking: ["/test/none/1.0.0", "/test/second/1.0.0"]) { stream, id in
                agreed.withLock { $0 = id }
                return stream.eventLoop.makeSucceededVoidFuture()
            }
            #expect(agreed.withLock { $0 } == "/test/second/1.0.0")
            stream.close(promise: nil)
        }
    }

    @Test("a handler's failure resets its stream and nothing else")
    func handlerFails() async throws {
        struct Refusal: Error {}
        try await withNodes(.memory) { nodes in
            let (a, b) = (try await nodes.make(), try await nodes.make())
            b.register("/test/fails/1.0.0") { stream, _ in stream.eventLoop.makeFailedFuture(Refusal()) }
            let connection = try await a.connect(to: b)
            let stream = try? await connection.openStream(speaking: ["/test/fails/1.0.0"]) { stream, _ in stream.eventLoop.makeSucceededVoidFuture() }
            _ = try? await stream?.closeFuture.get()
            #expect(try await connection.echo(ByteBuffer(string: "x")) == ByteBuffer(string: "x"))
            try await eventually { b.statistics.openStreams == 0 }
        }
    }

    @Test("cancelling openStream closes the stream")
    func cancelStream() async throws {
        try await withNodes(.memory) { nodes in
            let (a, b) = (try await nodes.make(), try await nodes.make())
            let reached = b.group.next().makePromise(of: Void.self)
            // Never ready, so the peer's answer never comes.
            let never = b.group.next().makePromise(of: Void.self)
            b.register("/test/never/1.0.0") { _, _ in
                reached.succeed()
                return never.futureResult
            }
            let connection = try await a.connect(to: b)
            let task = Task {
                try await connection.openStream(speaking: ["/test/none/1.0.0", "/test/never/1.0.0"]) { stream, _ in
                    stream.eventLoop.makePromise(of: Void.self).futureResult
                }
            }
            _ = task
            try await reached.futureResult.get()
            task.cancel()
            await #expect(throws: CancellationError.self) { _ = try await task.value }
            never.fail(CancellationError())
            try await eventually { a.statistics.openStreams == 0 && b.statistics.openStreams == 0 }
        }
    }

    @Test("reports connections and their end as events, drops the oldest for a slow reader, and ends them at shutdown")
    func events() async throws {
        try await withNodes(.memory) { nodes in
            let (a, b) = (try await nodes.make { $0.eventBufferCount = 2 }, try await nodes.make())
            let slow = a.events
            var events = b.events.makeAsyncIterator()
            let connection = try await a.connect(to: b)
            guard case .connected(let inbound) = await events.next() else { throw NeverHappened() }
            #expect(inbound.remotePeer == a.localPeer)
            #expect(inbound.role == .listener)
            guard case .identified(let info) = await events.next() else { throw NeverHappened() }
            #expect(info.peer == a.localPeer)
            guard case .observed(let address, let seen) = await events.next() else { throw NeverHappened() }
            #expect(address == connection.remoteAddress)
            #expect(seen === inbound)
            try await eventually { a.statistics.droppedEvents == 1 }
            await connection.close()
            guard case .disconnected(let peer) = await events.next() else { throw NeverHappened() }
            #expect(peer == a.localPeer)
            try await eventually { a.statistics.droppedEvents == 2 }
            await a.shutdown()
            var count = 0
            for await event in slow {
                count += 1
                if case .connected = event { Issue.record("the oldest event was kept") }
            }
            #expect(count == 2)
        }
    }

    @Test("tells the peer who we are, where we listen, what we speak and how we see it, and what changes")
    func identify() async throws {
        try await withNodes(.tcp) { nodes in
            let (a, b) = (try await nodes.make(), try await nodes.make())
            let connection = try await a.connect(to: b)
            try await eventually { a.identify(of: b.localPeer) != nil && b.identify(of: a.localPeer) != nil }
            let info = try #require(a.identify(of: b.localPeer))
            #expect(info.agentVersion == "dig-nat-tools/0.1.0")
            #expect(info.listenAddresses == b.listenAddresses)
            #expect(info.isCertified)
            #expect(info.protocols == [Nodes.echo, Identify.protocolID, Identify.pushProtocolID, Ping.protocolID].sorted { $0.rawValue < $1.rawValue })
            #expect(info.observedAddress == b.connection(to: a.localPeer)?.remoteAddress)
            #expect(b.identify(of: a.localPeer)?.observedAddress == connection.remoteAddress)

            b.register("/test/new/1.0.0") { stream, _ in stream.eventLoop.makeSucceededVoidFuture() }
            try await b.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0")])
            try await eventually { a.identify(of: b.localPeer)?.protocols.contains("/test/new/1.0.0") == true }
            try await eventually { a.identify(of: b.localPeer)?.listenAddresses == b.listenAddresses }
            #expect(b.listenAddresses.count == 2)
            await connection.close()
            try await eventually { a.identify(of: b.localPeer) == nil }
        }
    }

    @Test("tells a peer that has not said yet whether it wants to know, as soon as it has")
    func pushOwed() async throws {
        try await withNodes(.tcp) { nodes in
            let (a, b) = (try await nodes.make(), try await nodes.make())
            // Between the answer to identify and the peer's own, again and again: some of these hit the gap.
            for round in 0..<10 {
                let name = ProtocolID(rawValue: "/test/late/\(round)")
                let connection = try await a.connect(to: b)
                b.register(name) { stream, _ in stream.eventLoop.makeSucceededVoidFuture() }
                try await eventually { a.identify(of: b.localPeer)?.protocols.contains(name) == true }
                await connection.close()
                try await eventually { a.connection(to: b.localPeer) == nil && b.connection(to: a.localPeer) == nil }
            }
        }
    }

    @Test("a wildcard stands for the addresses of the interfaces")
    func wildcard() async throws {
        try await withNodes(.tcp) { nodes in
            let a = try await nodes.make(listening: false)
            let bound = try await a.listen(on: [Multiaddr("/ip4/0.0.0.0/tcp/0")])
            guard case .tcp(let port) = bound[0].components.last else { throw NeverHappened() }
            #expect(bound == [try Multiaddr("/ip4/0.0.0.0/tcp/\(port)")])
            #expect(a.listenAddresses.last == (try Multiaddr("/ip4/127.0.0.1/tcp/\(port)")))
            #expect(!a.listenAddresses.contains(bound[0]))
        }
    }

    @Test("listens at all addresses or at none")
    func listenFails() async throws {
        try await withNodes(.tcp) { nodes in
            let a = try await nodes.make(listening: false)
            await #expect(throws: ConnectionError(.noCommonProtocol, "")) {
                try await a.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0"), Multiaddr("/memory/1")])
            }
            #expect(a.listenAddresses.isEmpty)
        }
    }

    @Test("run() ends with its task and says goodbye; nothing can be opened afterwards", arguments: Medium.allCases)
    func run(medium: Medium) async throws {
        try await withNodes(medium) { nodes in
            let (a, b) = (try await nodes.make(), try await nodes.make())
            let service = Task { try await a.run() }
            let connection = try await b.connect(to: a)
            _ = try await connection.openEcho()
            service.cancel()
            try await service.value
            #expect(a.statistics.openConnections == 0)
            try await eventually { b.connections.isEmpty }
            await #expect(throws: ConnectionError(.closed, "")) { _ = try await a.connect(to: b) }
            await #expect(throws: ConnectionError(.closed, "")) { try await a.listen(on: b.listenAddresses) }
            await #expect(throws: ConnectionError(.allAttemptsFailed, "")) { _ = try await b.connect(to: a.localPeer, addresses: a.listenAddresses) }
        }
    }
}
