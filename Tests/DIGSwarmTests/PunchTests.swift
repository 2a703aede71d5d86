import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGTCP
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

/// Both ends dial each other from the ports they listen on, at two addresses of this machine. Without delay on the loopback device the first
/// SYN is accepted or refused before the second leaves; with delay (`tc qdisc add dev lo root netem delay 20ms`) they cross.
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
            try await eventually { a.statistics.pendingDials == 1 && (role == .listener || a.state.withLock { !$0.punches.isEmpty }) }
            let connection = try await b.connect(to: a.localPeer, addresses: a.listenAddresses)
            #expect(try await punch.value.channelBinding == connection.channelBinding)
            #expect(connection.role == .dialer)
        }
    }

    @Test("an accepted channel whose dialer takes the listener's side is found out by its silence")
    func silentDialer() async throws {
        try await withNodes(.tcp) { nodes in
            let (a, b) = try await Self.pair(nodes)
            let wrong = try Multiaddr("/ip4/127.0.0.3/tcp/1")
            let punch = Task { try await a.connect(to: b.localPeer, addresses: [wrong], options: Self.options(.dialer)) }
            try await eventually { a.state.withLock { !$0.punches.isEmpty } }
            let connection = try await b.connect(to: a.localPeer, addresses: a.listenAddresses, options: Self.options(.listener))
            #expect(connection.role == .listener)
            let found = try await punch.value
            #expect(found.role == .dialer)
            #expect(found.channelBinding == connection.channelBinding)
        }
    }

    @Test("cancelled punches leave no dial, no expectation and no socket behind")
    func cancelled() async throws {
        try await withNodes(.tcp) { nodes in
            let (a, b) = try await Self.pair(nodes)
            let wrong = try (1...8).map { try Multiaddr("/ip4/127.0.0.3/tcp/\($0)") }
            let before = try Self.socketCount()
            for _ in 0..<20 {
                let punch = Task { try await a.connect(to: b.localPeer, addresses: wrong, options: Self.options(.dialer)) }
                try await eventually { a.state.withLock { $0.punches.values.first == 8 } }
                punch.cancel()
                await #expect(throws: CancellationError.self) { _ = try await punch.value }
            }
            try await eventually { a.state.withLock { $0.punches.isEmpty } && a.statistics.pendingDials == 0 }
            // Tests beside this one have sockets too, which come and go.
            try await eventually { (try? Self.socketCount()).map { $0 < before + 100 } == true }
            let error = await #expect(throws: ConnectionError.self) {
                _ = try await a.connect(to: b.localPeer, addresses: wrong, options: Self.options(.dialer, timeout: .milliseconds(100)))
            }
            #expect((error?.cause as? DialError)?.attempts.count == 8)
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

    /// Descriptors of this process that are sockets; 0 where that can't be told.
    static func socketCount() throws -> Int {
        #if os(Linux)
        guard let directory = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(directory) }
        var count = 0
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            var target = [CChar](repeating: 0, count: 64)
            guard readlink("/proc/self/fd/\(name)", &target, target.count) > 0 else { continue }
            if target.starts(with: "socket:".utf8.map { CChar(bitPattern: $0) }) { count += 1 }
        }
        return count
        #else
        return 0
        #endif
    }
}
