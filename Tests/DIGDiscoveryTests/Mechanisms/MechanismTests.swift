import DIGAnnouncement
import DIGGossipSub
import DIGGun
import DIGIdentity
import DIGKademlia
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTestSupport
import Logging
import NIOPosix
import Testing

@testable import DIGDiscovery

@Suite("Mechanisms over swarms in memory", .timeLimit(.minutes(3)))
struct MechanismTests {
    private let key = Fixture.key(7)

    /// Three in a row: the ends are not connected to each other, and whoever seeks gets to know the holder through the one in the middle.
    private func story(_ source: DiscoverySource, _ address: @escaping @Sendable (TestNode) -> [Multiaddr]) async throws {
        try await TestNode.running(3) { nodes in
            let (host, seeker) = (try nodes[0].manager(source), try nodes[2].manager(source))
            // Gossip is for those who listen: who comes later hears of it when it is announced again.
            try await eventually {
                source != .gossip || zip(nodes, [1, 2, 1]).allSatisfy { $0.gossip.mesh(of: GossipMechanism.topic).count == $1 }
            }
            // The first who are there to take it may not be there yet.
            try await eventually { try await host.announce(AnnouncedContent(self.key, port: 4001, contentID: "my film")).takenBy == [source] }
            try await eventually { await !seeker.holders(of: self.key).isEmpty }
            let holder = try #require(await seeker.holders(of: self.key).first)
            #expect(holder.peer == nodes[0].peer && holder.sources == [source])
            #expect(address(nodes[0]).allSatisfy { holder.addresses.contains($0) } && holder.knownAddresses.allSatisfy { $0.isSigned })
            #expect(await seeker.holders(of: Fixture.key(8)).isEmpty)
            // One's own announcement is no find.
            #expect(await host.holders(of: self.key).isEmpty)

            let report = try await host.withdraw(self.key)
            #expect(report.entries.map(\.outcome) == [.withdrawn])
            try await eventually { await seeker.holders(of: self.key).isEmpty }
            // And it does not come back from somebody who has not heard.
            let middle = try nodes[1].manager(source)
            try await eventually { await middle.holders(of: self.key).isEmpty }
            #expect(await seeker.holders(of: self.key).isEmpty)

            // Shared once more.
            try await eventually { try await host.announce(AnnouncedContent(self.key)).takenBy == [source] }
            try await eventually { await seeker.holders(of: self.key).map(\.peer) == [nodes[0].peer] }
        }
    }

    @Test("the DHT: announced, found, withdrawn, found no longer")
    func kademlia() async throws { try await self.story(.dht) { $0.swarm.listenAddresses } }

    @Test("peer exchange: announced, found, withdrawn, found no longer")
    func peerExchange() async throws { try await self.story(.pex) { _ in [TestNode.address] } }

    @Test("gossip: announced, found, withdrawn, found no longer")
    func gossip() async throws { try await self.story(.gossip) { _ in [TestNode.address] } }

    @Test("a search that goes on hears of an announcement by gossip as it comes")
    func listening() async throws {
        try await TestNode.running(2) { nodes in
            try await eventually { nodes.allSatisfy { $0.gossip.peers(in: GossipMechanism.topic).count == 1 } }
            let (host, seeker) = (try nodes[0].manager(.gossip), try nodes[1].manager(.gossip))
            var search = seeker.find(self.key, options: .init(until: .cancelled)).makeAsyncIterator()
            try await host.announce(AnnouncedContent(self.key))
            guard case .found(let holder)? = await search.next() else { return #expect(Bool(false), "nothing is found") }
            #expect(holder.peer == nodes[0].peer)
        }
    }

    @Test("with nobody connected, each says so", arguments: [DiscoverySource.dht, .pex, .gossip])
    func nobody(source: DiscoverySource) async throws {
        try await TestNode.running(1) { nodes in
            let manager = try nodes[0].manager(source)
            let report = try await manager.announce(AnnouncedContent(self.key))
            #expect(!report.isTaken)
            var outcomes: [DiscoveryOutcome] = []
            for await case .ended(_, let outcome, _) in manager.find(self.key) { outcomes.append(outcome) }
            if source == .gossip {
                #expect(outcomes == [.completed(found: 0)])
            } else {
                guard case .failed? = outcomes.first else { return #expect(Bool(false), "\(outcomes)") }
            }
        }
    }

    @Test("many contents are announced in the DHT together")
    func background() async throws {
        try await TestNode.running(3) { nodes in
            try await eventually { nodes[0].kademlia.statistics.routingTableCount > 0 }
            let (host, seeker) = (try nodes[0].manager(.dht), try nodes[2].manager(.dht))
            try host.announce(all: (0..<200).map { AnnouncedContent(Fixture.key($0)) })
            #expect(host.announcements.count == 200 && host.announcements.allSatisfy { $0[.dht]?.outcome == .inBackground })
            for number in [0, 99, 199] {
                try await eventually { await seeker.holders(of: Fixture.key(number)).map(\.peer) == [nodes[0].peer] }
            }
        }
    }

    @Test("what holders gossip about is checked: signature, signer, publisher, time, size")
    func judge() async throws {
        try await TestNode.running(1) { nodes in
            let mechanism = nodes[0].availability
            let other = try KeyPair.generate()
            func envelope(_ change: (inout ContentAnnouncement) -> Void = { _ in }, by signer: KeyPair? = nil) throws -> [UInt8] {
                var announcement = ContentAnnouncement(
                    peer: other.peerID, key: self.key, addresses: [TestNode.address], timestampMilliseconds: WallClock.nowMilliseconds)
                change(&announcement)
                return try announcement.signed(with: signer ?? other).encoded
            }
            let good = try envelope()
            #expect(mechanism.judge(good, publisher: nodes[0].peer) == .reject, "published by somebody else")
            var damaged = good
            damaged[damaged.count - 1] ^= 1
            #expect(mechanism.judge(damaged, publisher: other.peerID) == .reject)
            #expect(mechanism.judge(good + Array(repeating: 0, count: ContentAnnouncement.maximumByteCount), publisher: other.peerID) == .reject)
            for length in 0..<good.count { #expect(mechanism.judge(Array(good.prefix(length)), publisher: other.peerID) == .reject) }
            #expect(try mechanism.judge(envelope { $0.timestampMilliseconds += 3_600_000 }, publisher: other.peerID) == .ignore)
            #expect(try mechanism.judge(envelope { $0.timestampMilliseconds -= 7_200_000 }, publisher: other.peerID) == .ignore)
            #expect(mechanism.statistics.count == 0 && mechanism.statistics.accepted == 0)
            #expect(mechanism.judge(good, publisher: other.peerID) == .accept)
            #expect(mechanism.judge(good, publisher: other.peerID) == .ignore, "nothing new")
            #expect(mechanism.statistics.count == 1 && mechanism.statistics.accepted == 1)
            // One peer's flood does not fill the table.
            for number in 0..<1_200 {
                _ = mechanism.judge(try envelope { $0.key = Fixture.key(1_000 + number) }, publisher: other.peerID)
            }
            #expect(mechanism.statistics.count == 1_000)
        }
    }
}

@Suite("GUN mechanism over loopback", .timeLimit(.minutes(2)))
struct GunMechanismTests {
    private static func peer(relays: [GunURL] = [], isRelay: Bool = false) -> GunPeer {
        var configuration = GunPeerConfiguration()
        configuration.relays = relays.map { .init($0) }
        if isRelay { configuration.listen = [GunListenAddress(host: "127.0.0.1", port: 0)] }
        return GunPeer(
            configuration: configuration, guards: GunNamespace.standard.guards, group: MultiThreadedEventLoopGroup.singleton, logger: Fixture.logger)
    }

    private static func manager(_ peer: GunPeer, _ identity: KeyPair) throws -> PeerDiscoveryManager {
        var configuration = GunDiscoveryConfiguration()
        configuration.lookupTimeout = .seconds(2)
        let discovery = GunDiscovery(
            peer: peer, identity: identity, addresses: { [TestNode.address] }, configuration: configuration, logger: Fixture.logger)
        return try PeerDiscoveryManager([GunMechanism(discovery, peer: peer)], localPeer: identity.peerID, logger: Fixture.logger)
    }

    @Test("GUN: announced, found, withdrawn, found no longer")
    func story() async throws {
        let relay = Self.peer(isRelay: true)
        let relayRun = Task { try await relay.run() }
        try await eventually { !relay.status.listening.isEmpty }
        let peers = [Self.peer(relays: relay.status.listening), Self.peer(relays: relay.status.listening)]
        let runs = peers.map { peer in Task { try await peer.run() } }
        try await eventually { peers.allSatisfy { !$0.status.relays.isEmpty } }
        let identities = [try KeyPair.generate(), try KeyPair.generate()]
        let (host, seeker) = (try Self.manager(peers[0], identities[0]), try Self.manager(peers[1], identities[1]))
        let key = Fixture.key(7)
        let report = try await host.announce(AnnouncedContent(key, port: 4001, contentID: "my film"))
        #expect(report.takenBy == [.gun])
        let holder = try #require(await seeker.holders(of: key).first)
        #expect(holder.peer == identities[0].peerID && holder.addresses == [TestNode.address] && holder.sources == [.gun])
        #expect(await host.holders(of: key).isEmpty)
        #expect(try await host.withdraw(key).entries.map(\.outcome) == [.withdrawn])
        try await eventually { await seeker.holders(of: key).isEmpty }
        for run in runs + [relayRun] { run.cancel() }
        for run in runs + [relayRun] { try await run.value }
    }

    @Test("without a relay, GUN says so")
    func nobody() async throws {
        let identity = try KeyPair.generate()
        let manager = try Self.manager(Self.peer(), identity)
        var outcomes: [DiscoveryOutcome] = []
        for await case .ended(_, let outcome, _) in manager.find(Fixture.key(1)) { outcomes.append(outcome) }
        #expect(outcomes == [.failed("no peer of GUN is connected")])
        #expect(try await manager.announce(AnnouncedContent(Fixture.key(1))).entries.map(\.outcome) == [.taken(by: 0)])
    }
}
