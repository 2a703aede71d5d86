import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGNetTesting
import DIGTestSupport
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import DIGSwarm

@Suite("Dial options", .timeLimit(.minutes(2)))
struct DialOptionsTests {
    /// Two nodes that reach each other directly and over what looks like a relay.
    struct Pair {
        let a: Swarm
        let b: Swarm
        let direct: [Multiaddr]
        let relayed: [Multiaddr]
        let circuits: CircuitStandIn

        init(_ nodes: Nodes, _ configure: (inout SwarmConfiguration) -> Void = { _ in }) async throws {
            let circuits = CircuitStandIn(memory: nodes.memory, loop: nodes.group.next())
            self.circuits = circuits
            self.a = try await nodes.make(transports: [circuits, nodes.memory], configure)
            self.b = try await nodes.make(transports: [circuits, nodes.memory], configure)
            self.direct = self.b.listenAddresses
            let relay = try KeyPair.generate().peerID
            self.relayed = try await self.b.listen(on: [Multiaddr(components: [.memory(0), .p2p(relay.multihash), .p2pCircuit])])
        }
    }

    func options(_ change: (inout DialOptions) -> Void) -> DialOptions {
        var options = DialOptions()
        change(&options)
        return options
    }

    @Test("a channel on another loop than the one asked for becomes a connection on its own loop; the relay is told whom to reach")
    func otherLoop() async throws {
        try await withNodes(.memory) { nodes in
            let pair = try await Pair(nodes)
            let connection = try await pair.a.connect(to: pair.b.localPeer, addresses: pair.relayed)
            #expect(connection.isRelayed)
            #expect(connection.localAddress == nil)
            #expect(connection.remoteAddress == pair.relayed[0])
            #expect(connection.eventLoop === pair.circuits.loop)
            #expect(pair.circuits.dialed.all == [pair.relayed[0].withPeerID(pair.b.localPeer)])
            #expect(try await connection.echo(ByteBuffer(string: "x")) == ByteBuffer(string: "x"))
            try await eventually { pair.b.connection(to: pair.a.localPeer)?.isRelayed == true }
        }
    }

    @Test("dials on other loops that are cancelled at any moment leave nothing behind")
    func cancelledOnOtherLoop() async throws {
        try await withNodes(.memory) { nodes in
            for index in 0..<40 {
                let pair = try await Pair(nodes)
                let dial = Task { try await pair.a.connect(to: pair.b.localPeer, addresses: pair.relayed + pair.direct) }
                for _ in 0..<(index * 5) { await Task.yield() }
                dial.cancel()
                do {
                    let connection = try await dial.value
                    #expect(connection.remotePeer == pair.b.localPeer)
                } catch { #expect(error is CancellationError) }
                try await eventually { pair.a.statistics.pendingDials == 0 && pair.b.statistics.inboundHandshakes == 0 }
                // Both ends agree on what is there.
                try await eventually { pair.a.statistics.openConnections == pair.b.statistics.openConnections }
                await pair.a.shutdown()
                await pair.b.shutdown()
            }
        }
    }

    @Test("a direct connection takes the place of a relayed one, which closes once its last stream has ended")
    func upgraded() async throws {
        try await withNodes(.memory) { nodes in
            let pair = try await Pair(nodes)
            var (eventsA, eventsB) = (pair.a.events.makeAsyncIterator(), pair.b.events.makeAsyncIterator())
            let relayed = try await pair.a.connect(to: pair.b.localPeer, addresses: pair.relayed)
            let stream = try await relayed.openEcho()
            // An open relayed connection is enough for an ordinary dial.
            #expect(try await pair.a.connect(to: pair.b.localPeer, addresses: pair.direct) === relayed)

            let direct = try await pair.a.connect(
                to: pair.b.localPeer, addresses: pair.relayed + pair.direct, options: self.options { $0.requiresDirect = true })
            #expect(!direct.isRelayed)
            #expect(pair.circuits.dialed.all.count == 1)
            #expect(pair.a.connection(to: pair.b.localPeer) === direct)
            #expect(try await pair.a.connect(to: pair.b.localPeer, addresses: pair.relayed) === direct)
            let (upgradedA, upgradedB) = (try await Self.upgrade(&eventsA), try await Self.upgrade(&eventsB))
            #expect(upgradedA === direct)
            #expect(upgradedB.channelBinding == direct.channelBinding)
            #expect(pair.b.connection(to: pair.a.localPeer) === upgradedB)

            #expect(pair.a.statistics.openConnections == 2)
            stream.close(promise: nil)
            try await eventually { pair.a.statistics.openConnections == 1 && pair.b.statistics.openConnections == 1 }
            #expect(pair.a.connection(to: pair.b.localPeer) === direct)
        }
    }

    static func upgrade(_ events: inout SwarmEvents.Iterator) async throws -> any Connection {
        while let event = await events.next() {
            if case .upgraded(let connection) = event { return connection }
        }
        throw NeverHappened()
    }

    @Test("a relayed connection never takes the place of a direct one, and tells nobody of an upgrade")
    func notDowngraded() async throws {
        try await withNodes(.memory) { nodes in
            let pair = try await Pair(nodes)
            let events = pair.a.events
            let direct = try await pair.a.connect(to: pair.b.localPeer, addresses: pair.direct)
            try await eventually { pair.b.connection(to: pair.a.localPeer)?.channelBinding == direct.channelBinding }
            let relayed = try await pair.a.connect(to: pair.relayed[0])
            #expect(relayed.id == direct.id)
            try await eventually { pair.a.statistics.openConnections == 1 && pair.b.statistics.openConnections == 1 }
            #expect(pair.a.connection(to: pair.b.localPeer) === direct)
            await pair.a.shutdown()
            for await event in events {
                if case .upgraded = event { Issue.record("upgraded to what was there") }
            }
        }
    }

    @Test("requiresDirect names the circuits that it leaves out")
    func noCircuits() async throws {
        try await withNodes(.memory) { nodes in
            let pair = try await Pair(nodes)
            for purpose in [DialPurpose.connect, .punch, .dialBack] {
                let error = await #expect(throws: ConnectionError.self) {
                    _ = try await pair.a.connect(
                        to: pair.b.localPeer, addresses: pair.relayed,
                        options: self.options { options in
                            options.purpose = purpose
                            options.requiresDirect = purpose == .connect
                        })
                }
                let cause = try #require(error?.cause as? DialError)
                #expect(cause.attempts.map { ($0.error as? ConnectionError)?.code } == [.addressForbidden])
            }
            #expect(pair.circuits.dialed.all.isEmpty)
        }
    }

    @Test("requiresNew makes a connection of its own for everybody who asks, with the purpose given")
    func new() async throws {
        try await withNodes(.memory) { nodes in
            let transport = RecordingTransport(base: nodes.memory)
            let (a, b) = (try await nodes.make(transports: [transport]) { $0.redundantConnectionGrace = .seconds(30) }, try await nodes.make())
            let first = try await a.connect(to: b)
            let options = self.options { options in
                options.requiresNew = true
                options.purpose = .dialBack
            }
            let ids = try await withThrowingTaskGroup(of: ConnectionID.self) { group in
                for _ in 0..<3 {
                    group.addTask { try await a.connect(to: b.localPeer, addresses: b.listenAddresses, options: options).id }
                }
                return try await group.reduce(into: Set([first.id])) { $0.insert($1) }
            }
            #expect(ids.count == 4)
            #expect(transport.purposes.all == [.connect, .dialBack, .dialBack, .dialBack])
        }
    }

    @Test("a dial that wants less does not join one that wants more, nor the other way round")
    func joins() async throws {
        try await withNodes(.memory) { nodes in
            let pair = try await Pair(nodes)
            // Nobody listens there any more: the direct dial goes on until the silent listener closes.
            let silent = try await nodes.memory.listen(on: Multiaddr("/memory/0")) { channel, _ in channel.eventLoop.makeSucceededVoidFuture() }
            let direct = Task {
                try await pair.a.connect(
                    to: pair.b.localPeer, addresses: [silent.address], options: self.options { $0.requiresDirect = true })
            }
            try await eventually { pair.a.statistics.pendingDials == 1 }
            let relayed = try await pair.a.connect(to: pair.b.localPeer, addresses: pair.relayed)
            #expect(relayed.isRelayed)
            // What the peer dials satisfies the one that waits; what came over the relay did not.
            #expect(pair.a.statistics.pendingDials == 1)
            let back = try await pair.b.connect(
                to: pair.a.localPeer, addresses: pair.a.listenAddresses, options: self.options { $0.requiresDirect = true })
            let found = try await direct.value
            #expect(found.channelBinding == back.channelBinding)
            await silent.close()
        }
    }

    @Test("a dial gives up after its own time")
    func timeout() async throws {
        try await withNodes(.memory) { nodes in
            let (a, b) = (try await nodes.make(), try await nodes.make())
            let silent = try await nodes.memory.listen(on: Multiaddr("/memory/0")) { channel, _ in channel.eventLoop.makeSucceededVoidFuture() }
            let error = await #expect(throws: ConnectionError.self) {
                _ = try await a.connect(
                    to: b.localPeer, addresses: [silent.address], options: self.options { $0.timeout = .milliseconds(50) })
            }
            #expect(error?.description.contains("no connection in 0.05 seconds") == true)
            await silent.close()
        }
    }

    @Test("a dialer that takes the listener's side finds a peer that proposes, and one that does not", arguments: [true, false])
    func listenerRole(peerProposes: Bool) async throws {
        try await withNodes(.memory) { nodes in
            let (a, b) = (try await nodes.make(), try await nodes.make(listening: false))
            // Takes what it accepts for the end of a simultaneous open in which it is the dialer.
            let upgrade = Mutex<ConnectionUpgrade?>(nil)
            let listener = try await nodes.memory.listen(on: Multiaddr("/memory/0")) { channel, remote in
                let made = ConnectionUpgrade(
                    role: .fixed(peerProposes ? .dialer : .listener), expecting: nil, remoteAddress: remote, on: channel.eventLoop, swarm: b)
                upgrade.withLock { $0 = made }
                return channel.eventLoop.makeCompletedFuture { try made.start(on: channel) }
            }
            let connection = try await a.connect(
                to: b.localPeer, addresses: [listener.address], options: self.options { $0.role = .listener })
            #expect(connection.role == (peerProposes ? .listener : .dialer))
            #expect(try await connection.echo(ByteBuffer(string: "x")) == ByteBuffer(string: "x"))
            try await eventually { b.connection(to: a.localPeer)?.role == (peerProposes ? .dialer : .listener) }
            await listener.close()
        }
    }

    @Test("what a stranger names is dialed only on the public internet, also behind a name; one line is logged")
    func stranger() async throws {
        try await withNodes(.memory) { nodes in
            let tcp = RecordingTransport(
                base: StandInTCP(),
                names: ["private": ["/ip4/127.0.0.1", "/ip4/198.51.100.1"], "mapped": ["/ip6/::ffff:169.254.169.254"], "public": ["/ip4/9.9.9.9"]])
            let log = LogCollector()
            let a = try await nodes.make(transports: [CircuitStandIn(memory: nodes.memory, loop: nodes.group.next()), tcp, nodes.memory], logger: log.logger)
            let peer = try KeyPair.generate().peerID
            let relay = try KeyPair.generate().peerID
            let refused = try [
                "/memory/1", "/ip4/127.0.0.1/tcp/1", "/ip4/169.254.169.254/tcp/80", "/ip6/::ffff:127.0.0.1/tcp/1", "/ip4/100.64.0.1/tcp/1",
                "/ip6/fd00::1/tcp/1", "/ip4/198.51.100.1/tcp/1", "/ip4/10.0.0.1/tcp/1/p2p/\(relay)/p2p-circuit", "/p2p/\(relay)/p2p-circuit",
            ].map { try Multiaddr($0) }
            let named = try ["/dns4/private/tcp/1", "/dns4/mapped/tcp/1", "/dns4/private/tcp/2/p2p/\(relay)/p2p-circuit"].map { try Multiaddr($0) }
            let options = self.options { $0.source = .stranger }
            let error = await #expect(throws: ConnectionError.self) {
                _ = try await a.connect(
                    to: peer, addresses: refused + named + [Multiaddr("/ip4/8.8.8.8/tcp/1"), Multiaddr("/dns4/public/tcp/1")], options: options)
            }
            let attempts = try #require(error?.cause as? DialError).attempts
            let forbidden = attempts.filter { ($0.error as? ConnectionError)?.code == .addressForbidden }.map { $0.address.removingPeerID() }
            for address in refused { #expect(forbidden.contains(address), "\(address)") }
            #expect(forbidden.contains(try Multiaddr("/ip4/127.0.0.1/tcp/1")))
            #expect(forbidden.contains(try Multiaddr("/ip6/::ffff:169.254.169.254/tcp/1")))
            #expect(forbidden.contains(try Multiaddr("/ip4/127.0.0.1/tcp/2/p2p/\(relay)/p2p-circuit")))
            #expect(log.count("an address of a peer is not dialed") == 1)
            // The two public ones were dialed, and nothing else.
            #expect(tcp.purposes.all.count == 2)

            // The user's own word is enough for all of them, and a laboratory's for the documentation ranges.
            _ = try? await a.connect(to: peer, addresses: [refused[1]])
            #expect(tcp.purposes.all.count == 3)
            let lab = try await nodes.make(listening: false, transports: [tcp]) { $0.addressPolicy = AddressPolicy(treatsDocumentationAsPublic: true) }
            _ = try? await lab.connect(to: peer, addresses: [Multiaddr("/ip4/198.51.100.1/tcp/1"), Multiaddr("/dns4/private/tcp/3")], options: options)
            #expect(tcp.purposes.all.count == 5)
        }
    }
}

/// Understands TCP addresses and reaches nobody.
struct StandInTCP: Transport {
    func canDial(_ address: Multiaddr) -> Bool {
        !address.components.contains(.p2pCircuit) && address.components.contains { if case .tcp = $0 { true } else { false } }
    }
    func canListen(on address: Multiaddr) -> Bool { false }

    func dial(
        _ address: Multiaddr, for purpose: DialPurpose, on eventLoop: any EventLoop,
        initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel { throw ConnectionError(.timedOut, "no answer") }

    func listen(
        on address: Multiaddr, initializer: @escaping @Sendable (any Channel, Multiaddr) -> EventLoopFuture<Void>
    ) async throws -> any Listener { throw ConnectionError(.closed, "") }
}
