import DIGAnnouncement
import DIGContent
import DIGIdentity
import DIGMultiformats
import NIOCore
import Testing

@testable import DIGGun

/// How long it takes over a relay that is far away.
@Suite("Promptness of GUN", .serialized, .timeLimit(.minutes(2)))
struct GunPromptnessTests {
    @Test("announced, and found by a peer that has only just started, with 40 ms each way between either and the relay: under two seconds")
    func announceToFound() async throws {
        try await Loopback.withRelay { _, url, group in
            let proxy = try await DelayingProxy.start(to: Int(url.port), delay: .milliseconds(40), group: Loopback.group)
            var far = url
            far.port = UInt16(clamping: proxy.port)
            let content = RendezvousKey(ContentHash(digest: SHA256Digest(hashing: [0xCD])))
            let address = try Multiaddr("/ip4/192.0.2.7/tcp/4001")
            let identity = try KeyPair.generate()
            let (host, client) = (Loopback.peer(relays: [far]), Loopback.peer(relays: [far]))
            let announcer = GunDiscovery(peer: host, identity: identity, addresses: { [address] }, logger: Loopback.logger)
            let finder = GunDiscovery(peer: client, identity: try KeyPair.generate(), addresses: { [] }, logger: Loopback.logger)
            group.addTask { try await host.run() }
            try await Loopback.wait { !host.status.relays.isEmpty }

            let began = ContinuousClock.now
            #expect(try await announcer.announce(content, waitingForAcknowledgement: .seconds(10)))
            let announced = ContinuousClock.now
            group.addTask { try await client.run() }
            // Asked before the relay is connected.
            var found: ContentAnnouncement?
            for await announcement in finder.findPeers(content) {
                found = announcement
                break
            }
            let ended = ContinuousClock.now
            print("announce to found by GUN: 40 ms each way: acknowledged in \(announced - began), found by a fresh peer after \(ended - announced)")
            #expect(found?.peer == identity.peerID)
            #expect(ended - began < .seconds(2))
            try await proxy.stop()
        }
    }

    @Test("an announcement may be lost: the next one comes before what was announced before it ends")
    func loss() {
        let configuration = GunDiscoveryConfiguration()
        #expect(configuration.reannounceInterval * 2 < configuration.announcementLifetime)
    }

    @Test("what is put right after the start is acknowledged, though the relay is not connected yet; without any relay nothing is waited for")
    func early() async throws {
        try await Loopback.withRelay { _, url, group in
            let peer = Loopback.peer(relays: [url])
            async let acknowledged = peer.put(["k": .number(1)], to: "s", waitingForAcknowledgement: .seconds(10))
            group.addTask { try await peer.run() }
            let isAcknowledged = try await acknowledged
            #expect(isAcknowledged)
        }
        let alone = Loopback.peer()
        let began = ContinuousClock.now
        #expect(try await !alone.put(["k": .number(1)], to: "s", waitingForAcknowledgement: .seconds(60)))
        #expect(await alone.get("t", timeout: .seconds(60)) == nil)
        #expect(ContinuousClock.now - began < .seconds(30))
    }
}
