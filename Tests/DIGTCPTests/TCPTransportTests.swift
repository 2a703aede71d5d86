import DIGMultiformats
import DIGNet
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import DIGTCP

@Suite("TCP transport", .timeLimit(.minutes(1)))
struct TCPTransportTests {
    let group = MultiThreadedEventLoopGroup.singleton

    func noHandlers(_ channel: any Channel) -> EventLoopFuture<Void> { channel.eventLoop.makeSucceededVoidFuture() }

    func listen(
        _ transport: TCPTransport, on address: String, remotes: Remotes = Remotes()
    ) async throws -> any Listener {
        try await transport.listen(on: Multiaddr(address)) { channel, remote in
            remotes.append(remote)
            return channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(EchoHandler()) }
        }
    }

    /// Dials, sends, expects the same back, and returns the channel.
    func echo(_ transport: TCPTransport, to address: Multiaddr) async throws -> any Channel {
        let loop = self.group.next()
        let bytes = ByteBuffer(bytes: (0..<300_000).map { UInt8(truncatingIfNeeded: $0) })
        let answer = loop.makePromise(of: ByteBuffer.self)
        let channel: any Channel
        do {
            channel = try await transport.dial(address, on: loop) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(CollectHandler(byteCount: bytes.readableBytes, promise: answer))
                }
            }
        } catch {
            answer.fail(error)
            throw error
        }
        #expect(channel.eventLoop === loop)
        try await channel.writeAndFlush(bytes)
        #expect(try await answer.futureResult.get() == bytes)
        return channel
    }

    @Test("understands hosts with a port and nothing behind it")
    func understands() throws {
        let transport = TCPTransport(group: self.group)
        for text in ["/ip4/1.2.3.4/tcp/5", "/ip6/::1/tcp/5", "/ip6zone/eth0/ip6/fe80::1/tcp/5", "/dns/a.example/tcp/5", "/dns4/a/tcp/5", "/dns6/a/tcp/5"] {
            #expect(transport.canDial(try Multiaddr(text)), "\(text)")
            #expect(transport.canListen(on: try Multiaddr(text)) == !text.contains("dns"), "\(text)")
        }
        for text in ["/ip4/1.2.3.4/udp/5", "/ip4/1.2.3.4/tcp/5/ws", "/ip4/1.2.3.4", "/tcp/5", "/dnsaddr/a/tcp/5", "/memory/1", "/ip6zone/eth0/ip4/1.2.3.4/tcp/5"] {
            if let address = try? Multiaddr(text) { #expect(!transport.canDial(address), "\(text)") }
        }
    }

    @Test("carries bytes both ways and reports the dialer's address", arguments: ["/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0"])
    func roundTrip(address: String) async throws {
        let transport = TCPTransport(group: self.group)
        let remotes = Remotes()
        let listener = try await self.listen(transport, on: address, remotes: remotes)
        #expect(listener.address.components.last != .tcp(0))
        let channel = try await self.echo(transport, to: listener.address)
        let port = try #require(channel.localAddress?.port)
        #expect(remotes.all == [try Multiaddr(address.replacing("tcp/0", with: "tcp/\(port)"))])
        try await channel.close()
        await listener.close()
    }

    @Test("listens on the wildcards of both families on one port")
    func wildcards() async throws {
        let transport = TCPTransport(group: self.group)
        let four = try await self.listen(transport, on: "/ip4/0.0.0.0/tcp/0")
        guard case .tcp(let port) = four.address.components.last else { throw ChannelError.unknownLocalAddress }
        let six = try await self.listen(transport, on: "/ip6/::/tcp/\(port)")
        for text in ["/ip4/127.0.0.1/tcp/\(port)", "/ip6/::1/tcp/\(port)"] {
            try await self.echo(transport, to: Multiaddr(text)).close()
        }
        await four.close()
        await six.close()
    }

    @Test("a port that somebody listens on is taken, shared or not; connections made from it are no obstacle", arguments: ["/ip4/127.0.0.1", "/ip6/::1"])
    func taken(host: String) async throws {
        let (first, second) = (TCPTransport(group: self.group), TCPTransport(group: self.group))
        let listener = try await self.listen(first, on: "\(host)/tcp/0")
        let other = try await self.listen(second, on: "\(host)/tcp/0")
        let address = listener.address
        let error = await #expect(throws: IOError.self) { _ = try await self.listen(second, on: "\(address)") }
        #expect(error?.errnoCode == EADDRINUSE)
        // From the listening port, which stays in use after the listener has gone.
        let channel = try await self.echo(first, to: other.address)
        #expect(channel.localAddress?.port.map { "\(host)/tcp/\($0)" } == "\(address)")
        await listener.close()
        let again = try await self.listen(second, on: "\(address)")
        #expect(again.address == address)
        try await channel.close()
        await again.close()
        await other.close()
    }

    @Test("throws the system's error when nobody listens")
    func refused() async throws {
        let transport = TCPTransport(group: self.group)
        let listener = try await self.listen(transport, on: "/ip4/127.0.0.1/tcp/0")
        await listener.close()
        let error = await #expect(throws: IOError.self) {
            _ = try await transport.dial(listener.address, on: self.group.next(), initializer: self.noHandlers)
        }
        #expect(error?.description.contains("refused") == true)
    }

    @Test("gives up after the connect timeout")
    func connectTimeout() async throws {
        let full = try FullListener()
        var configuration = TCPConfiguration()
        configuration.connectTimeout = .milliseconds(50)
        let transport = TCPTransport(group: self.group, configuration: configuration)
        await #expect(throws: ConnectionError(.timedOut, "")) {
            _ = try await transport.dial(full.address, on: self.group.next(), initializer: self.noHandlers)
        }
    }

    @Test("closes the socket when the dial is cancelled")
    func cancellation() async throws {
        let full = try FullListener()
        let transport = TCPTransport(group: self.group)
        let loop = self.group.next()
        let made = loop.makePromise(of: (any Channel).self)
        let dial = Task {
            try await transport.dial(full.address, on: loop) { channel in
                made.succeed(channel)
                return channel.eventLoop.makeSucceededVoidFuture()
            }
        }
        let channel = try await made.futureResult.get()
        dial.cancel()
        await #expect(throws: CancellationError.self) { _ = try await dial.value }
        _ = await channel.closeFuture.result()
        #expect(!channel.isActive)
    }

    @Test(
        "dials from the listening port, and from another if that pair is in use or a dial-back is wanted",
        arguments: ["/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/0"])
    func listeningPort(address: String) async throws {
        let dialing = TCPTransport(group: self.group)
        let remotes = Remotes()
        let own = try await self.listen(dialing, on: address)
        let listener = try await self.listen(TCPTransport(group: self.group), on: address, remotes: remotes)
        let back = try await dialing.dial(listener.address, for: .dialBack, on: self.group.next(), initializer: self.noHandlers)
        let first = try await self.echo(dialing, to: listener.address)
        let second = try await self.echo(dialing, to: listener.address)
        #expect(remotes.all.map { $0 == own.address } == [false, true, false])
        // The listener still accepts.
        let third = try await self.echo(TCPTransport(group: self.group), to: own.address)
        for channel in [back, first, second, third] { try await channel.close() }
        await own.close()
        // Nothing listens any more, so the system picks the port.
        let fourth = try await self.echo(dialing, to: listener.address)
        #expect(remotes.all.last != own.address)
        try await fourth.close()
        await listener.close()
    }

    @Test("does not dial from the listening port when told not to")
    func otherPort() async throws {
        var configuration = TCPConfiguration()
        configuration.dialsFromListeningPort = false
        let dialing = TCPTransport(group: self.group, configuration: configuration)
        let remotes = Remotes()
        let own = try await self.listen(dialing, on: "/ip4/127.0.0.1/tcp/0")
        let listener = try await self.listen(TCPTransport(group: self.group), on: "/ip4/127.0.0.1/tcp/0", remotes: remotes)
        try await self.echo(dialing, to: listener.address).close()
        #expect(remotes.all.count == 1 && remotes.all.first != own.address)
        // A punch does all the same.
        try await dialing.dial(listener.address, for: .punch, on: self.group.next(), initializer: self.noHandlers).close()
        try await remotes.first { $0 == own.address }
        await own.close()
        await listener.close()
    }

    @Test("a listener's address that leads nowhere is not dialed from")
    func source() async throws {
        let transport = TCPTransport(group: self.group)
        let remotes = Remotes()
        let near = try await self.listen(transport, on: "/ip4/127.0.0.2/tcp/0")
        let wildcard = try await self.listen(transport, on: "/ip4/0.0.0.0/tcp/0")
        let listener = try await self.listen(TCPTransport(group: self.group), on: "/ip4/127.0.0.1/tcp/0", remotes: remotes)
        // Any source will do for a wildcard, the nearest for none.
        try await self.echo(transport, to: listener.address).close()
        #expect(remotes.all.last?.components.last == wildcard.address.components.last)
        await wildcard.close()
        try await self.echo(transport, to: listener.address).close()
        #expect(remotes.all.last == near.address)
        await near.close()
        await listener.close()
    }

    @Test("a punch without a listener of the address family, or with one that is not shared, says so")
    func punchNeedsListener() async throws {
        let transport = TCPTransport(group: self.group)
        let four = try await self.listen(transport, on: "/ip4/127.0.0.1/tcp/0")
        await #expect(throws: ConnectionError(.notListening, "")) {
            _ = try await transport.dial(Multiaddr("/ip6/::1/tcp/1"), for: .punch, on: self.group.next(), initializer: self.noHandlers)
        }
        var configuration = TCPConfiguration()
        configuration.sharesListeningPort = false
        let alone = TCPTransport(group: self.group, configuration: configuration)
        let own = try await self.listen(alone, on: "/ip4/127.0.0.1/tcp/0")
        await #expect(throws: ConnectionError(.notListening, "")) {
            _ = try await alone.dial(four.address, for: .punch, on: self.group.next(), initializer: self.noHandlers)
        }
        await four.close()
        await own.close()
    }

    @Test("a punch goes on after refusals until the peer is there")
    func punchRetries() async throws {
        var configuration = TCPConfiguration()
        configuration.punchRetryDelay = .milliseconds(1)
        let transport = TCPTransport(group: self.group, configuration: configuration)
        let remotes = Remotes()
        let own = try await self.listen(transport, on: "/ip4/127.0.0.1/tcp/0")
        let gone = try await self.listen(TCPTransport(group: self.group), on: "/ip4/127.0.0.1/tcp/0")
        await gone.close()
        let made = Remotes()
        let punch = Task {
            try await transport.dial(gone.address, for: .punch, on: self.group.next()) { channel in
                made.append(gone.address)
                return channel.eventLoop.makeSucceededVoidFuture()
            }
        }
        // Meanwhile the punch is refused as well.
        for _ in 0..<100 {
            await #expect(throws: IOError.self) {
                _ = try await transport.dial(gone.address, for: .dialBack, on: self.group.next(), initializer: self.noHandlers)
            }
        }
        let listener = try await self.listen(TCPTransport(group: self.group), on: "\(gone.address)", remotes: remotes)
        let channel = try await punch.value
        #expect(made.all.count == 1)
        #if os(Linux)
        let control = try await #require(channel as? any SocketOptionProvider).congestionControl.get()
        #expect(!control.modelsPath)
        #endif
        // Before it is closed: nothing was said, so its end is a reset, which a listener that has not accepted it yet never sees.
        try await remotes.first { $0 == own.address }
        try await channel.close()
        await own.close()
        await listener.close()
    }

    @Test("a punched connection that comes to nothing does not keep the next attempt waiting; one that was used ends in the ordinary way")
    func punchAgain() async throws {
        var configuration = TCPConfiguration()
        configuration.connectTimeout = .seconds(5)
        configuration.punchRetryDelay = .milliseconds(1)
        let transport = TCPTransport(group: self.group, configuration: configuration)
        let other = TCPTransport(group: self.group)
        let own = try await transport.listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0")) { channel, _ in channel.eventLoop.makeSucceededVoidFuture() }
        let listener = try await other.listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0")) { channel, _ in channel.eventLoop.makeSucceededVoidFuture() }
        for _ in 0..<5 {
            // Nothing is said, and this end closes.
            try await transport.dial(listener.address, for: .punch, on: self.group.next(), initializer: self.noHandlers).close()
        }
        await own.close()
        await listener.close()
    }

    @Test("a punch ends when it is cancelled or its time is over, and leaves no socket", arguments: [true, false])
    func punchEnds(isCancelled: Bool) async throws {
        var configuration = TCPConfiguration()
        configuration.connectTimeout = isCancelled ? .seconds(30) : .milliseconds(200)
        let transport = TCPTransport(group: self.group, configuration: configuration)
        let own = try await self.listen(transport, on: "/ip4/127.0.0.1/tcp/0")
        let gone = try await self.listen(TCPTransport(group: self.group), on: "/ip4/127.0.0.1/tcp/0")
        await gone.close()
        let punch = Task { try await transport.dial(gone.address, for: .punch, on: self.group.next(), initializer: self.noHandlers) }
        if isCancelled {
            punch.cancel()
            await #expect(throws: CancellationError.self) { _ = try await punch.value }
        } else {
            await #expect(throws: IOError.self) { _ = try await punch.value }
        }
        await own.close()
        // Only free if nothing is bound to it any more, for this socket does not share.
        try await ServerBootstrap(group: self.group).bind(to: SocketAddress(ipAddress: "127.0.0.1", port: own.port)).get().close()
    }

    @Test("a socket does not connect to itself: a dial to the own listener comes from another port, a punch is refused")
    func selfConnection() async throws {
        let transport = TCPTransport(group: self.group)
        let remotes = Remotes()
        let own = try await self.listen(transport, on: "/ip4/127.0.0.1/tcp/0", remotes: remotes)
        try await self.echo(transport, to: own.address).close()
        #expect(remotes.all.count == 1 && remotes.all.first != own.address)
        await #expect(throws: ConnectionError(.peerMismatch, "")) {
            _ = try await transport.dial(own.address, for: .punch, on: self.group.next(), initializer: self.noHandlers)
        }
        await own.close()
    }

    @Test("resolves names, keeping what follows the port")
    func names() async throws {
        let transport = TCPTransport(group: self.group)
        #expect(try await transport.resolve(Multiaddr("/dns4/localhost/tcp/80")) == [Multiaddr("/ip4/127.0.0.1/tcp/80")])
        #expect(try await transport.resolve(Multiaddr("/dns4/localhost/tcp/80/ws")) == [Multiaddr("/ip4/127.0.0.1/tcp/80/ws")])
        #expect(try await transport.resolve(Multiaddr("/ip4/1.2.3.4/tcp/80")) == [Multiaddr("/ip4/1.2.3.4/tcp/80")])
        let listener = try await self.listen(transport, on: "/ip4/127.0.0.1/tcp/0")
        try await self.echo(transport, to: Multiaddr(components: [.dns4("localhost")] + listener.address.components.dropFirst())).close()
        await listener.close()
        await #expect(throws: HostResolutionError.self) {
            _ = try await transport.resolve(Multiaddr(components: [.dns4("no..name"), .tcp(80)]))
        }
    }

    @Test("says which zone is unknown")
    func unknownZone() async throws {
        let transport = TCPTransport(group: self.group)
        let address = Multiaddr(components: [.ip6zone("nosuch0"), .ip6(.loopback), .tcp(1)])
        await #expect(throws: (any Error).self) {
            do {
                _ = try await transport.dial(address, on: self.group.next(), initializer: self.noHandlers)
            } catch {
                #expect("\(error)".contains("nosuch0"))
                throw error
            }
        }
    }
}

/// The remote addresses that a listener was told.
final class Remotes: Sendable {
    private let addresses = Mutex<[Multiaddr]>([])
    var all: [Multiaddr] { self.addresses.withLock { $0 } }
    func append(_ address: Multiaddr) { self.addresses.withLock { $0.append(address) } }

    /// Waits for an address that fits: a connection is open for its dialer before it is accepted.
    func first(where fits: (Multiaddr) -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(20)
        while !self.all.contains(where: fits) {
            guard ContinuousClock.now < end else { throw ConnectionError(.timedOut, "nobody came") }
            try await Task.sleep(for: .milliseconds(1))
        }
    }
}

extension EventLoopFuture where Value: Sendable {
    fileprivate func result() async -> Result<Value, any Error> {
        do { return .success(try await self.get()) } catch { return .failure(error) }
    }
}

extension Listener {
    fileprivate var port: Int {
        guard case .tcp(let port) = self.address.components.last else { return 0 }
        return Int(port)
    }
}
