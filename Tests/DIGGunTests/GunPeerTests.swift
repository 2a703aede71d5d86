import DIGNet
import DIGWebSocket
import Foundation
import NIOCore
import Testing

@testable import DIGGun

@Suite("Peers of GUN over loopback", .serialized)
struct GunPeerTests {
    @Test("a put of one is acknowledged by the relay, and another that watches sees it at once")
    func putAndOn() async throws {
        try await Loopback.withRelay { _, url, group in
            let (writer, reader) = (Loopback.peer(relays: [url]), Loopback.peer(relays: [url]))
            for peer in [writer, reader] { group.addTask { try await peer.run() } }
            try await Loopback.wait { [writer, reader].allSatisfy { !$0.status.relays.isEmpty } }
            var nodes = reader.on("room").makeAsyncIterator()
            #expect(try await writer.put(["topic": .text("one")], to: "room", waitingForAcknowledgement: .seconds(10)))
            #expect(await nodes.next()?["topic"] == .text("one"))
            try await writer.put(["topic": .text("two"), "other": .link("x")], to: "room")
            var last = await nodes.next()
            while last != nil, last?["topic"] != .text("two") { last = await nodes.next() }
            #expect(last?["other"] == .link("x"))
            // One that comes later asks.
            let late = Loopback.peer(relays: [url])
            group.addTask { try await late.run() }
            try await Loopback.wait { late.status.relays == [url] }
            #expect(await late.get("room", key: "topic")?["topic"] == .text("two"))
            #expect(await late.get("nobody") == nil)
            #expect(late.known("room")?["other"] == nil)
        }
    }

    @Test("what was put with no relay in reach is there once one is")
    func offline() async throws {
        let writer = Loopback.peer(relays: [])
        #expect(try await !writer.put(["k": .number(1)], to: "s", waitingForAcknowledgement: .milliseconds(10)))
        #expect(writer.known("s")?["k"] == .number(1))
        #expect(await writer.get("s")?["k"] == .number(1))
        await #expect(throws: GunError(.tooLong, "")) { try await writer.put(["k": .text(String(repeating: "x", count: 100_000))], to: "s") }
        await #expect(throws: GunError(.tooLong, "")) { try await writer.put(["_": .null], to: "s") }
    }

    @Test("the graph stays from one run to the next")
    func persistence() async throws {
        let storage = GunMemoryStorage()
        let first = Loopback.peer(storage: storage)
        try await first.put(["k": .number(1)], to: "s")
        let run = Task { try await first.run() }
        try await Loopback.wait { try await storage.load(limit: 10).count == 1 }
        try await first.put(["k": .number(2)], to: "s")
        run.cancel()
        try await run.value
        let second = Loopback.peer(storage: storage)
        let again = Task { try await second.run() }
        try await Loopback.wait { second.known("s")?["k"] == .number(2) }
        again.cancel()
        try await again.value
        #expect(second.ownNodes(prefix: "").map(\.soul) == ["s"])
    }

    @Test("a relay that goes and comes back is found again, and told again")
    func relayReturns() async throws {
        var configuration = GunPeerConfiguration()
        configuration.listen = [GunListenAddress(host: "127.0.0.1", port: 0)]
        let first = GunPeer(configuration: configuration, group: Loopback.group, logger: Loopback.logger)
        let firstRun = Task { try await first.run() }
        try await Loopback.wait { !first.status.listening.isEmpty }
        let url = try #require(first.status.listening.first)
        let peer = Loopback.peer(relays: [url])
        let run = Task { try await peer.run() }
        try await Loopback.wait { peer.status.relays == [url] }
        try await peer.put(["k": .number(7)], to: "s", waitingForAcknowledgement: .seconds(10))
        firstRun.cancel()
        try await firstRun.value
        try await Loopback.wait { peer.status.relays.isEmpty }
        configuration.listen = [GunListenAddress(host: "127.0.0.1", port: url.port)]
        let second = GunPeer(configuration: configuration, group: Loopback.group, logger: Loopback.logger)
        let secondRun = Task { try await second.run() }
        // It begins empty, and learns from the peer.
        try await Loopback.wait(.seconds(30)) { second.known("s")?["k"] == .number(7) }
        run.cancel()
        secondRun.cancel()
        try await run.value
        try await secondRun.value
    }

    @Test("so many connections of one address and no more; a stranger's relay has to be public")
    func bounds() async throws {
        var configuration = GunPeerConfiguration()
        configuration.listen = [GunListenAddress(host: "127.0.0.1", port: 0)]
        configuration.connectionCountForOrigin = 2
        let relay = GunPeer(configuration: configuration, group: Loopback.group, logger: Loopback.logger)
        let run = Task { try await relay.run() }
        try await Loopback.wait { !relay.status.listening.isEmpty }
        let url = try #require(relay.status.listening.first)
        let dialer = GunDialer(group: Loopback.group, configuration: .init(), policy: .init(), messageByteCount: 1_000)
        let silent = Silent()
        await #expect(throws: GunError(.forbiddenAddress, "")) { try await dialer.dial(url, source: .stranger, delegate: silent) }
        var elsewhere = url
        elsewhere.path = "/other"
        await #expect(throws: GunError(.refused, "")) { try await dialer.dial(elsewhere, source: .user, delegate: silent) }
        var sockets: [GunSocket] = []
        try await Loopback.wait {
            do { sockets.append(try await dialer.dial(url, source: .user, delegate: silent)) } catch {}
            return sockets.count == 2
        }
        await #expect(throws: (any Error).self) { try await dialer.dial(url, source: .user, delegate: silent) }
        #expect(relay.status.acceptedCount == 2)
        run.cancel()
        try await run.value
        await #expect(throws: Never.self) { try await sockets[0].closed.get() }
    }

    @Test("inside TLS, with an authority that is trusted and not with others")
    func secure() async throws {
        let folder = try #require(Bundle.module.url(forResource: "Fixtures/tls", withExtension: nil)).path
        var configuration = GunPeerConfiguration()
        configuration.listen = [
            GunListenAddress(host: "127.0.0.1", port: 0, certificate: .init(chainFile: "\(folder)/chain.pem", privateKeyFile: "\(folder)/key.pem"))
        ]
        let relay = GunPeer(configuration: configuration, group: Loopback.group, logger: Loopback.logger)
        let run = Task { try await relay.run() }
        try await Loopback.wait { !relay.status.listening.isEmpty }
        let url = try #require(relay.status.listening.first)
        #expect(url.description.hasPrefix("wss://127.0.0.1:"))
        let silent = Silent()
        let stranger = GunDialer(group: Loopback.group, configuration: .init(), policy: .init(), messageByteCount: 1_000)
        await #expect(throws: (any Error).self) { try await stranger.dial(url, source: .user, delegate: silent) }
        configuration = GunPeerConfiguration()
        configuration.relays = [.init(url)]
        configuration.webSocket.certificateVerification = .authorities(file: "\(folder)/authority.pem")
        let peer = GunPeer(configuration: configuration, group: Loopback.group, logger: Loopback.logger)
        let peerRun = Task { try await peer.run() }
        try await Loopback.wait { !peer.status.relays.isEmpty }
        #expect(try await peer.put(["k": .number(1)], to: "s", waitingForAcknowledgement: .seconds(30)))
        #expect(relay.known("s")?["k"] == .number(1))
        for run in [peerRun, run] { run.cancel() }
        for run in [peerRun, run] { try await run.value }
    }

    private final class Silent: GunSocketDelegate {
        func opened(_ socket: GunSocket) {}
        func received(_ bytes: [UInt8], on socket: GunSocket) {}
        func receivedOversize(on socket: GunSocket) {}
        func closed(_ socket: GunSocket) {}
    }
}
