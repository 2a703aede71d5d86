import DIGAnnouncement
import DIGContent
import DIGIdentity
import DIGMultiformats
import Testing

@testable import DIGGun

@Suite("Discovery through GUN", .serialized)
struct GunDiscoveryTests {
    private func discovery(_ peer: GunPeer, _ identity: KeyPair, _ address: String = "/ip4/192.0.2.7/tcp/4001") throws -> GunDiscovery {
        let address = try Multiaddr(address)
        return GunDiscovery(peer: peer, identity: identity, addresses: { [address] }, logger: Loopback.logger)
    }

    private static let content = RendezvousKey(ContentHash(digest: SHA256Digest(hashing: [0xAB])))

    @Test("two nodes that share a relay find each other's announcement in under two seconds, and no longer once it is withdrawn")
    func find() async throws {
        try await Loopback.withRelay { _, url, group in
            let (host, client) = (Loopback.peer(relays: [url]), Loopback.peer(relays: [url]))
            for peer in [host, client] { group.addTask { try await peer.run() } }
            try await Loopback.wait { [host, client].allSatisfy { !$0.status.relays.isEmpty } }
            let identity = try KeyPair.generate()
            let announcer = try self.discovery(host, identity)
            let finder = try self.discovery(client, try KeyPair.generate())
            let start = ContinuousClock.now
            #expect(try await announcer.announce(Self.content, port: 4001, contentID: "my film", waitingForAcknowledgement: .seconds(10)))
            var found: ContentAnnouncement?
            for await announcement in finder.findPeers(Self.content) {
                found = announcement
                break
            }
            #expect(ContinuousClock.now - start < .seconds(2))
            #expect(found?.peer == identity.peerID && found?.port == 4001 && found?.contentID == "my film")
            #expect(found?.addresses == [try Multiaddr("/ip4/192.0.2.7/tcp/4001")])
            var bound: ContentAnnouncement?
            for await announcement in finder.findBindings(of: "my film") { bound = announcement }
            #expect(bound?.key == Self.content && bound?.peer == identity.peerID)
            // The relay has nothing new to say, which is an answer, too: nobody waits for the time limit.
            let again = ContinuousClock.now
            for await _ in finder.findPeers(Self.content) {}
            #expect(ContinuousClock.now - again < GunDiscoveryConfiguration().lookupTimeout)
            #expect(try await announcer.withdraw(Self.content, waitingForAcknowledgement: .seconds(10)))
            // The relay tells everybody at once, and the announcer may hear first.
            let soul = GunNamespace.standard.content(Self.content)
            let key = ExactText("\(identity.peerID)")
            try await Loopback.wait {
                client.known(soul)?.entries[key].flatMap { GunNamespace.announcement(key, $0, UnixClock.milliseconds) }?.isAvailable == false
            }
            var count = 0
            for await _ in finder.findPeers(Self.content) { count += 1 }
            #expect(count == 0)
            // One's own announcement is no find.
            try await announcer.announce(Self.content)
            for await _ in announcer.findPeers(Self.content) { count += 1 }
            #expect(count == 0)
        }
    }

    @Test("an announcement that somebody overwrites at a relay without guards is put right")
    func repair() async throws {
        var configuration = GunPeerConfiguration()
        configuration.listen = [GunListenAddress(host: "127.0.0.1", port: 0)]
        // As gun.js: it believes everybody.
        let relay = GunPeer(configuration: configuration, group: Loopback.group, logger: Loopback.logger)
        let relayRun = Task { try await relay.run() }
        try await Loopback.wait { !relay.status.listening.isEmpty }
        let host = Loopback.peer(relays: relay.status.listening)
        let hostRun = Task { try await host.run() }
        let vandal = Loopback.peer(relays: relay.status.listening, guards: [])
        let vandalRun = Task { try await vandal.run() }
        try await Loopback.wait { [host, vandal].allSatisfy { !$0.status.relays.isEmpty } }
        let identity = try KeyPair.generate()
        let announcer = try self.discovery(host, identity)
        let announcerRun = Task { try await announcer.run() }
        try await announcer.announce(Self.content, waitingForAcknowledgement: .seconds(10))
        let soul = GunNamespace.standard.content(Self.content)
        let key = ExactText("\(identity.peerID)")
        func isRight() -> Bool {
            relay.known(soul)?.entries[key].flatMap { GunNamespace.announcement(key, $0, UnixClock.milliseconds) }?.isAvailable == true
        }
        // Again, in case the announcer was not listening yet.
        for _ in 0..<20 {
            try await vandal.put([key.string: .null], to: soul, waitingForAcknowledgement: .seconds(10))
            #expect(host.known(soul)?[key.string] != .null)
            do {
                try await Loopback.wait(.seconds(1)) { isRight() }
                break
            } catch {}
        }
        #expect(isRight())
        for run in [relayRun, hostRun, vandalRun, announcerRun] { run.cancel() }
        for run in [relayRun, hostRun, vandalRun, announcerRun] { try await run.value }
    }

    @Test("announcements of the run before are taken up again")
    func persistence() async throws {
        let storage = GunMemoryStorage()
        let identity = try KeyPair.generate()
        let first = Loopback.peer(storage: storage)
        let firstRun = Task { try await first.run() }
        try await self.discovery(first, identity).announce(Self.content, port: 9, contentID: "n")
        try await Loopback.wait { try await storage.load(limit: 10).count == 2 }
        firstRun.cancel()
        try await firstRun.value
        let second = Loopback.peer(storage: storage)
        let secondRun = Task { try await second.run() }
        try await Loopback.wait { second.known(GunNamespace.standard.content(Self.content)) != nil }
        let discovery = try self.discovery(second, identity)
        let run = Task { try await discovery.run() }
        try await Loopback.wait { discovery.announcements == [Self.content: "n"] }
        run.cancel()
        secondRun.cancel()
        try await run.value
        try await secondRun.value
    }
}
