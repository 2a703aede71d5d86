import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGTCP
import DIGTestSupport
import NIOCore
import NIOPosix
import Synchronization
import Testing

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

@testable import DIGSwarm

/// Both ends dial each other from the ports they listen on, at two addresses of this machine. On loopback the first SYN is accepted before the
/// second leaves. To see them cross, run these tests in a network namespace that drops the first SYN of every pair, so that both ends repeat
/// theirs to a socket that waits for it:
///
///     set seen { type ipv4_addr . inet_service . ipv4_addr . inet_service; timeout 5s; flags dynamic,timeout; }
///     chain input { type filter hook input priority 0;
///       tcp flags & (syn|ack) == syn ip saddr . tcp sport . ip daddr . tcp dport @seen accept
///       tcp flags & (syn|ack) == syn add @seen { ip saddr . tcp sport . ip daddr . tcp dport } drop }
@Suite("Punching", .timeLimit(.minutes(2)))
struct PunchTests {
    static func options(_ role: ConnectionRole, timeout: Duration = .seconds(10)) -> DialOptions {
        var options = DialOptions()
        options.purpose = .punch
        options.role = role
        options.requiresDirect = true
        options.timeout = timeout
        return options
    }

    /// Two nodes, each at an address of its own.
    static func pair(_ nodes: Nodes) async throws -> (Swarm, Swarm) {
        let (a, b) = (try await nodes.make(listening: false), try await nodes.make(listening: false))
        try await a.listen(on: [Multiaddr("/ip4/127.0.0.2/tcp/0")])
        try await b.listen(on: [Multiaddr("/ip4/127.0.0.3/tcp/0")])
        return (a, b)
    }

    @Test(
        "two that punch each other end with one and the same connection at both ends, whoever begins and whoever is the dialer",
        arguments: [-20, 0, 20], [true, false])
    func punch(leadMilliseconds: Int, firstIsDialer: Bool) async throws {
        try await withNodes(.tcp) { nodes in
            for _ in 0..<5 {
                let (a, b) = try await Self.pair(nodes)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (from, to, isDialer, delay) in [(a, b, firstIsDialer, leadMilliseconds), (b, a, !firstIsDialer, -leadMilliseconds)] {
                        group.addTask {
                            try await Task.sleep(for: .milliseconds(max(0, delay)))
                            let connection = try await from.connect(
                                to: to.localPeer, addresses: to.listenAddresses, options: Self.options(isDialer ? .dialer : .listener))
                            #expect(connection.remoteAddress == to.listenAddresses[0])
                            #expect(connection.localAddress == from.listenAddresses[0])
                            #expect(try await connection.echo(ByteBuffer(string: "x")) == ByteBuffer(string: "x"))
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(a.statistics.openConnections == 1 && b.statistics.openConnections == 1)
                #expect(a.connection(to: b.localPeer)?.channelBinding == b.connection(to: a.localPeer)?.channelBinding)
                // Not always the roles asked for: what was accepted before this end began is an ordinary connection.
                #expect(a.connection(to: b.localPeer)?.role != b.connection(to: a.localPeer)?.role)
                try await eventually { a.statistics.pendingDials == 0 && b.statistics.pendingDials == 0 }
                try await eventually { a.state.withLock { $0.punches.isEmpty } && b.state.withLock { $0.punches.isEmpty } }
                await a.shutdown()
                await b.shutdown()
            }
        }
    }

    @Test("ordinary dials from listening ports that cross end well too")
    func crossingDials() async throws {
        try await withNodes(.tcp) { nodes in
            for _ in 0..<10 {
                let (a, b) = try await Self.pair(nodes)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (from, to) in [(a, b), (b, a)] {
                        group.addTask {
                            let connection = try await from.connect(to: to)
                            #expect(try await connection.echo(ByteBuffer(string: "x")) == ByteBuffer(string: "x"))
                        }
                    }
                    try await group.waitForAll()
                }
                try await eventually { a.statistics.openConnections == 1 && b.statistics.openConnections == 1 }
                #expect(a.connection(to: b.localPeer)?.channelBinding == b.connection(to: a.localPeer)?.channelBinding)
                await a.shutdown()
                await b.shutdown()
            }
        }
    }

    @Test("a punch that nobody answers in kind ends in the ordinary connection that the peer dials", arguments: [ConnectionRole.dialer, .listener])
    func peerOnlyDials(role: ConnectionRole) async throws {
        try await withNodes(.tcp) { nodes in
            let (a, b) = try await Self.pair(nodes)
            // Aimed at a port where nobody is: the peer's NAT gave it another one.
            let wrong = try Multiaddr("/ip4/127.0.0.3/tcp/1")
            let punch = Task { try await a.connect(to: b.localPeer, addresses: [wrong], options: Self.options(role)) }
            try await eventually { a.state.withLock { !$0.punches.isEmpty } }
            let connection = try await b.connect(to: a.localPeer, addresses: a.listenAddresses)
            #expect(try await punch.value.channelBinding == connection.channelBinding)
            #expect(connection.role == .dialer)
        }
    }

    @Test(
        "an accepted channel whose dialer takes the listener's side is found out by its silence, whichever side this end was to take",
        arguments: [ConnectionRole.dialer, .listener])
    func silentDialer(role: ConnectionRole) async throws {
        try await withNodes(.tcp) { nodes in
            let (a, b) = try await Self.pair(nodes)
            let wrong = try Multiaddr("/ip4/127.0.0.3/tcp/1")
            let punch = Task { try await a.connect(to: b.localPeer, addresses: [wrong], options: Self.options(role)) }
            try await eventually { a.state.withLock { !$0.punches.isEmpty } }
            let connection = try await b.connect(to: a.localPeer, addresses: a.listenAddresses, options: Self.options(.listener))
            #expect(connection.role == .listener)
            let found = try await punch.value
            #expect(found.role == .dialer)
            #expect(found.channelBinding == connection.channelBinding)
        }
    }

    @Test("a dial that comes before this end's punch begins is expected too, while a relay is what connects to a peer")
    func early() async throws {
        try await withNodes(.tcp) { nodes in
            let circuits = CircuitStandIn(memory: nodes.memory, loop: nodes.group.next())
            let a = try await nodes.make(listening: false, transports: [nodes.transport, circuits])
            let b = try await nodes.make(listening: false, transports: [nodes.transport, circuits])
            try await a.listen(on: [Multiaddr("/ip4/127.0.0.2/tcp/0")])
            try await b.listen(on: [Multiaddr("/ip4/127.0.0.3/tcp/0")])
            let relay = try KeyPair.generate().peerID
            let relayed = try await b.listen(on: [Multiaddr(components: [.memory(0), .p2p(relay.multihash), .p2pCircuit])])
            #expect(try await a.connect(to: b.localPeer, addresses: relayed).isRelayed)
            let (group, address) = (nodes.group, a.listenAddresses[0])
            // Waits for `a` to propose.
            let upgrade = ConnectionUpgrade(role: .fixed(.listener), expecting: a.localPeer, remoteAddress: address, on: group.next(), swarm: b)
            let channel = try await TCPTransport(group: group).dial(address, for: .dialBack, on: group.next()) { channel in
                channel.eventLoop.makeCompletedFuture { try upgrade.start(on: channel) }
            }
            try await eventually { a.statistics.inboundHandshakes == 1 }
            let wrong = try Multiaddr("/ip4/127.0.0.1/tcp/1")
            let connection = try await a.connect(to: b.localPeer, addresses: [wrong], options: Self.options(.listener))
            #expect(connection.role == .dialer && !connection.isRelayed)
            #expect(try await upgrade.result.get().channelBinding == connection.channelBinding)
            #expect(channel.isActive)
        }
    }

    @Test("cancelled punches leave no dial, no expectation and no socket behind")
    func cancelled() async throws {
        try await withNodes(.tcp) { nodes in
            let (a, b) = try await Self.pair(nodes)
            let wrong = try (1...8).map { try Multiaddr("/ip4/127.0.0.3/tcp/\($0)") }
            for _ in 0..<20 {
                let punch = Task { try await a.connect(to: b.localPeer, addresses: wrong, options: Self.options(.dialer)) }
                try await eventually { a.state.withLock { $0.punches.values.first?.asDialer == 8 } }
                punch.cancel()
                await #expect(throws: CancellationError.self) { _ = try await punch.value }
            }
            try await eventually { a.state.withLock { $0.punches.isEmpty } && a.statistics.pendingDials == 0 }
            let port = try #require(a.listenAddresses.first?.components.last)
            try await eventually { Self.dialingSocketCount(from: port) == 0 }
            let error = await #expect(throws: ConnectionError.self) {
                _ = try await a.connect(to: b.localPeer, addresses: wrong, options: Self.options(.dialer, timeout: .milliseconds(100)))
            }
            #expect((error?.cause as? DialError)?.attempts.count == 8)
        }
    }

    /// go-libp2p does so (go-libp2p#3171): called through a relay it proposes, and calling through one it waits, the other way round than DCUtR says.
    @Test("a peer that takes the other side than DCUtR gives it gets a connection, whichever side that is", arguments: [ConnectionRole.dialer, .listener])
    func otherSide(role: ConnectionRole) async throws {
        try await withNodes(.tcp) { nodes in
            let (a, b) = (try await nodes.make(), try await nodes.make(listening: false))
            let attempts = Mutex(0)
            // Both ends of every connection take the same side, as after two dials that crossed.
            let listener = try await nodes.transport.listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0")) { channel, remote in
                if remote == a.listenAddresses[0] { attempts.withLock { $0 += 1 } }
                let upgrade = ConnectionUpgrade(role: .fixed(role), expecting: nil, remoteAddress: remote, on: channel.eventLoop, swarm: b)
                return channel.eventLoop.makeCompletedFuture { try upgrade.start(on: channel) }
            }
            let connection = try await a.connect(to: b.localPeer, addresses: [listener.address], options: Self.options(role))
            #expect(try await connection.echo(ByteBuffer(string: "x")) == ByteBuffer(string: "x"))
            #expect(connection.role == (role == .dialer ? .listener : .dialer))
            // That a proposal meets another is only found out by what follows.
            #expect(attempts.withLock { $0 } >= (role == .dialer ? 2 : 1))
            await listener.close()
        }
    }

    @Test("a punch without a listener says so")
    func notListening() async throws {
        try await withNodes(.tcp) { nodes in
            let (a, b) = (try await nodes.make(listening: false), try await nodes.make())
            let error = await #expect(throws: ConnectionError.self) {
                _ = try await a.connect(to: b.localPeer, addresses: b.listenAddresses, options: Self.options(.dialer))
            }
            #expect(((error?.cause as? DialError)?.attempts.first?.error as? ConnectionError)?.code == .notListening)
        }
    }

    @Test("a dial from the listening port that meets a dial of the peer is repeated from another port")
    func repeated() async throws {
        try await withNodes(.tcp) { nodes in
            let (a, b) = (try await nodes.make(), try await nodes.make(listening: false))
            let remotes = Shared<Multiaddr>()
            // Both ends of the first connection are its dialer, as after two dials that crossed.
            let listener = try await nodes.transport.listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0")) { channel, remote in
                remotes.append(remote)
                let role: ConnectionRole = remote == a.listenAddresses[0] ? .dialer : .listener
                let upgrade = ConnectionUpgrade(role: .fixed(role), expecting: nil, remoteAddress: remote, on: channel.eventLoop, swarm: b)
                return channel.eventLoop.makeCompletedFuture { try upgrade.start(on: channel) }
            }
            let connection = try await a.connect(to: b.localPeer, addresses: [listener.address])
            #expect(try await connection.echo(ByteBuffer(string: "x")) == ByteBuffer(string: "x"))
            #expect(remotes.all.map { $0 == a.listenAddresses[0] } == [true, false])
            await listener.close()
        }
    }

    /// Sockets that wait for an answer to a SYN from `port`, or got one; 0 where that can't be told.
    static func dialingSocketCount(from port: Multiaddr.Component) -> Int {
        guard case .tcp(let port) = port, let file = fopen("/proc/self/net/tcp", "r") else { return 0 }
        defer { fclose(file) }
        var table: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { table += chunk[..<count] }
        let hexadecimal = String(port, radix: 16, uppercase: true)
        let suffix = ":" + String(repeating: "0", count: 4 - hexadecimal.count) + hexadecimal
        // sl, local address, remote address, state: 01 ESTABLISHED, 02 SYN_SENT, 03 SYN_RECV
        return String(decoding: table, as: UTF8.self).split(separator: "\n").count { line in
            let fields = line.split(separator: " ", maxSplits: 4)
            return fields.count == 5 && fields[1].hasSuffix(suffix) && ["01", "02", "03"].contains(fields[3])
        }
    }
}
