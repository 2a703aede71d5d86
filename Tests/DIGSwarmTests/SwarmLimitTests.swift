import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGTCP
import DIGTestSupport
import NIOCore
import NIOPosix
import Testing

@testable import DIGSwarm

@Suite("Swarm limits", .timeLimit(.minutes(2)))
struct SwarmLimitTests {
    @Test("a connection without streams is closed after the idle time; streams and protection keep it")
    func idle() async throws {
        try await withNodes(.memory) { nodes in
            let a = try await nodes.make { $0.idleTimeout = .milliseconds(500) }
            let (unused, used, protected) = (try await nodes.make(), try await nodes.make(), try await nodes.make())
            a.protect(protected.localPeer, tag: "test")
            let stream = try await a.connect(to: used).openEcho()
            for node in [unused, protected] { _ = try await a.connect(to: node) }
            try await eventually { a.connection(to: unused.localPeer) == nil }
            try await eventually { unused.connections.isEmpty }
            _ = try await a.ping(used.localPeer)
            // Pings are no use in this sense.
            _ = try await a.ping(protected.localPeer)
            a.unprotect(protected.localPeer, tag: "test")
            try await eventually { a.connection(to: protected.localPeer) == nil }
            #expect(a.connection(to: used.localPeer) != nil)
            stream.close(promise: nil)
            try await eventually { a.connections.isEmpty }
        }
    }

    @Test("at the limit an unused connection makes room; if all are in use the newcomer is refused")
    func maximumConnections() async throws {
        try await withNodes(.memory) { nodes in
            let a = try await nodes.make { $0.maximumConnections = 2 }
            var others: [Swarm] = []
            for _ in 0..<4 { others.append(try await nodes.make()) }
            let first = try await others[0].connect(to: a)
            let stream = try await first.openEcho()
            _ = try await others[1].connect(to: a)
            try await eventually { a.connections.count == 2 && others[1].identify(of: a.localPeer) != nil }
            let third = try await others[2].connect(to: a)
            try await eventually { others[1].connections.isEmpty && a.connection(to: others[2].localPeer) != nil }
            #expect(a.connection(to: others[0].localPeer) != nil)
            let second = try await third.openEcho()
            // The refusal closes the channel once the handshake is over.
            let fourth = try? await others[3].connect(to: a)
            try? await fourth?.closeFuture.get()
            #expect(a.connection(to: others[3].localPeer) == nil)
            #expect(a.connections.count == 2)
            let error = await #expect(throws: ConnectionError.self) { _ = try await a.connect(to: others[1]) }
            #expect(error?.description.contains("2 connections are open and in use") == true)
            for stream in [stream, second] { stream.close(promise: nil) }
        }
    }

    @Test("half-open handshakes time out, and more than the limit are not taken")
    func handshakes() async throws {
        try await withNodes(.tcp) { nodes in
            let a = try await nodes.make {
                $0.handshakeTimeout = .seconds(3)
                $0.maximumInboundHandshakes = 3
            }
            var silent: [any Channel] = []
            for _ in 0..<5 {
                silent.append(
                    try await nodes.transport.dial(a.listenAddresses[0], on: nodes.group.next()) { $0.eventLoop.makeSucceededVoidFuture() })
            }
            for channel in silent { try? await channel.closeFuture.get() }
            try await eventually { a.statistics.inboundHandshakes == 0 }
            let b = try await nodes.make()
            #expect(try await b.connect(to: a).echo(ByteBuffer(string: "x")) == ByteBuffer(string: "x"))
        }
    }

    @Test("a peer that never answers the handshake fails the dial in time")
    func silentListener() async throws {
        try await withNodes(.tcp) { nodes in
            let a = try await nodes.make { $0.handshakeTimeout = .milliseconds(100) }
            let listener = try await nodes.transport.listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0")) { channel, _ in
                channel.eventLoop.makeSucceededVoidFuture()
            }
            let error = await #expect(throws: ConnectionError.self) { _ = try await a.connect(to: listener.address) }
            #expect(error?.description.contains("the handshake took longer") == true)
            await listener.close()
        }
    }

    @Test("cancelling a dial closes its socket and leaves nothing behind")
    func cancel() async throws {
        try await withNodes(.tcp) { nodes in
            let a = try await nodes.make()
            let accepted = nodes.group.next().makePromise(of: (any Channel).self)
            let listener = try await nodes.transport.listen(on: Multiaddr("/ip4/127.0.0.1/tcp/0")) { channel, _ in
                accepted.succeed(channel)
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            let peer = try KeyPair.generate().peerID
            let address = listener.address
            let first = Task { try await a.connect(to: peer, addresses: [address]) }
            let channel = try await accepted.futureResult.get()
            let second = Task { try await a.connect(to: peer, addresses: [address]) }
            first.cancel()
            await #expect(throws: CancellationError.self) { _ = try await first.value }
            second.cancel()
            await #expect(throws: CancellationError.self) { _ = try await second.value }
            try await channel.closeFuture.get()
            try await eventually { a.statistics.pendingDials == 0 }
            await listener.close()
        }
    }

    @Test("a joined dial goes on when the one who began it gives up")
    func cancelOne() async throws {
        try await withNodes(.memory) { nodes in
            let (a, b) = (try await nodes.make(), try await nodes.make())
            for _ in 0..<20 {
                let first = Task { try await a.connect(to: b) }
                let second = Task { try await a.connect(to: b) }
                first.cancel()
                let connection = try await second.value
                _ = await first.result
                await connection.close()
                try await eventually { a.connections.isEmpty && b.connections.isEmpty }
            }
        }
    }

    @Test("garbage sent to the listener hurts nobody else", arguments: [1, 2, 3] as [UInt64])
    func garbage(seed: UInt64) async throws {
        try await withNodes(.tcp) { nodes in
            let (a, b) = (try await nodes.make(), try await nodes.make())
            let connection = try await b.connect(to: a)
            var generator = SeededGenerator(seed: seed)
            let hello = ByteBuffer(bytes: [19] + "/multistream/1.0.0\n".utf8 + [7] + "/noise\n".utf8)
            for round in 0..<60 {
                var bytes = round % 3 == 0 ? hello : ByteBuffer()
                let count = Int.random(in: 0..<3000, using: &generator)
                bytes.writeBytes((0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
                let channel = try await nodes.transport.dial(a.listenAddresses[0], on: nodes.group.next()) {
                    $0.eventLoop.makeSucceededVoidFuture()
                }
                // The other side may have closed already.
                try? await channel.writeAndFlush(bytes)
                if round % 2 == 0 { channel.close(promise: nil) }
                let probe = ByteBuffer(string: "round \(round)")
                if round % 10 == 0 { #expect(try await connection.echo(probe) == probe) }
                if round % 2 == 1 {
                    // Anything but silence is answered by closing; silence would be ended by the handshake's time limit.
                    channel.close(promise: nil)
                }
            }
            try await eventually { a.statistics.inboundHandshakes == 0 }
            #expect(try await b.ping(a.localPeer) > .zero)
        }
    }

    @Test("no more inbound streams are negotiated at once than the limit, and silent ones are reset")
    func negotiatingStreams() async throws {
        try await withNodes(.memory) { nodes in
            let a = try await nodes.make {
                $0.maximumNegotiatingStreams = 4
                $0.streamNegotiationTimeout = .milliseconds(300)
            }
            let b = try await nodes.make()
            let connection = try #require(try await b.connect(to: a) as? SwarmConnection)
            let multiplexer = try #require(connection.multiplexer)
            var silent: [any Channel] = []
            for _ in 0..<10 {
                // The stream is announced with its first byte.
                let stream = try await multiplexer.openStream { $0.eventLoop.makeSucceededVoidFuture() }.get()
                stream.writeAndFlush(ByteBuffer(bytes: [19]), promise: nil)
                silent.append(stream)
            }
            for stream in silent { try? await stream.closeFuture.get() }
            try await eventually { a.statistics.openStreams == 0 }
            #expect(try await connection.echo(ByteBuffer(string: "x")) == ByteBuffer(string: "x"))
        }
    }

    @Test("no more streams of identify and ping are open at once than the limit, and others are not touched")
    func housekeepingStreams() async throws {
        try await withNodes(.memory) { nodes in
            let a = try await nodes.make { $0.maximumHousekeepingStreams = 4 }
            let b = try await nodes.make()
            let connection = try await b.connect(to: a)
            try await eventually { a.identify(of: b.localPeer) != nil && b.identify(of: a.localPeer) != nil }
            var open: [any Channel] = []
            var refused = 0
            for _ in 0..<10 {
                do {
                    let stream = try await connection.openStream(speaking: [Ping.protocolID]) { stream, _ in stream.eventLoop.makeSucceededVoidFuture() }
                    open.append(stream)
                } catch {
                    refused += 1
                }
            }
            // A refusal may come after the protocol was agreed on: then the stream is reset.
            try await eventually { open.filter(\.isActive).count <= 4 }
            #expect(refused + open.count == 10)
            #expect(try await connection.echo(ByteBuffer(string: "x")) == ByteBuffer(string: "x"))
            for stream in open { stream.close(promise: nil) }
            try await eventually { a.statistics.openStreams == 0 }
            #expect(try await b.ping(a.localPeer) > .zero)
        }
    }
}
