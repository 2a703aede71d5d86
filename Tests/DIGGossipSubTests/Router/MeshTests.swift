import DIGIdentity
import DIGTestSupport
import OrderedCollections
import Testing

@testable import DIGGossipSub

@Suite("Gossipsub mesh")
struct MeshTests {
    private let topic = RouterFixture.topic

    @Test("subscribing tells everybody and grafts D peers that have subscribed too; leaving prunes them with the shorter backoff")
    func joinAndLeave() throws {
        var fixture = try RouterFixture()
        let peers = try fixture.peers(10)
        let elsewhere = try fixture.peer(["other"])
        fixture.subscribe()
        var sent = fixture.sent()
        #expect(sent.count == 11)
        #expect(sent.values.allSatisfy { $0.subscriptions == [.init(topic: self.topic, isSubscribed: true)] })
        #expect(sent.filter { $0.value.graft == [self.topic] }.count == 6 && sent[elsewhere]?.graft.isEmpty == true)
        #expect(Set(fixture.mesh) == Set(sent.filter { !$0.value.graft.isEmpty }.keys) && fixture.mesh.count == 6)
        #expect(fixture.router.hello.subscriptions == [.init(topic: self.topic, isSubscribed: true)])
        // Again: nothing.
        fixture.subscribe()
        #expect(fixture.sent().isEmpty)

        let mesh = fixture.mesh
        fixture.router.unsubscribe(self.topic, now: fixture.now)
        fixture.collect()
        sent = fixture.sent()
        for peer in peers {
            #expect(sent[peer]?.subscriptions == [.init(topic: self.topic, isSubscribed: false)])
            #expect(sent[peer]?.prune == (mesh.contains(peer) ? [.init(topic: self.topic, backoffSeconds: 10)] : []))
        }
        #expect(fixture.router.hello.isEmpty && fixture.mesh.isEmpty)
        // Those that were in the mesh have to wait.
        fixture.subscribe()
        #expect(Set(fixture.mesh) == Set(peers).subtracting(mesh))
        fixture.beat(12)
        #expect(fixture.mesh.count == 6)
    }

    @Test("fewer than D_lo are filled up to D, more than D_hi cut down to D; the best and enough outbound ones stay")
    func degrees() throws {
        var fixture = try RouterFixture()
        fixture.subscribe()
        let few = try fixture.peers(4)
        fixture.beat()
        #expect(Set(fixture.mesh) == Set(few))
        let outbound = try fixture.peers(2, outbound: true)
        let others = try fixture.peers(20)
        // Inbound ones come in until there are D_hi, outbound ones also after.
        for peer in others { fixture.receive(GossipRPC(graft: [self.topic]), from: peer) }
        #expect(fixture.mesh.count == 12)
        let refused = others.filter { !fixture.mesh.contains($0) }
        let sent = fixture.sent()
        #expect(refused.count == 12 && refused.allSatisfy { sent[$0]?.prune == [.init(topic: self.topic, backoffSeconds: 60)] })
        for peer in outbound { fixture.receive(GossipRPC(graft: [self.topic]), from: peer) }
        #expect(fixture.mesh.count == 14)
        // Four have merits.
        let best = Array(others.filter { fixture.mesh.contains($0) }.prefix(4))
        for peer in best {
            let messages = try (0..<5).map { _ in try fixture.message() }
            fixture.receive(GossipRPC(messages: messages), from: peer)
        }
        fixture.beat()
        #expect(fixture.mesh.count == 6)
        #expect(Set(fixture.mesh) == Set(best + outbound))
        #expect(fixture.sent().values.filter { $0.prune == [.init(topic: self.topic, backoffSeconds: 60)] }.count == 8)
    }

    @Test("a mesh that is big enough takes in those that this node has dialed until there are D_out")
    func outbound() throws {
        var fixture = try RouterFixture()
        fixture.subscribe()
        _ = try fixture.peers(6)
        fixture.beat()
        let outbound = try fixture.peers(5, outbound: true)
        fixture.beat()
        #expect(fixture.mesh.count == 8 && fixture.mesh.count { outbound.contains($0) } == 2)
    }

    @Test("peers with a negative score are pruned and not grafted")
    func negative() throws {
        var fixture = try RouterFixture()
        let peers = try fixture.peers(8)
        fixture.subscribe()
        let bad = fixture.mesh[0]
        fixture.receive(GossipRPC(messages: [try fixture.message()]), from: bad, verdict: .reject)
        #expect(fixture.score(bad) == -100)
        _ = fixture.sent()
        fixture.beat()
        #expect(!fixture.mesh.contains(bad))
        #expect(fixture.sent()[bad]?.prune == [.init(topic: self.topic, backoffSeconds: 60)])
        for peer in peers where peer != bad { fixture.receive(GossipRPC(subscriptions: [.init(topic: self.topic, isSubscribed: false)]), from: peer) }
        #expect(fixture.mesh.isEmpty)
        fixture.beat(70)
        #expect(fixture.mesh.isEmpty && fixture.score(bad) < 0)
        fixture.receive(GossipRPC(graft: [self.topic]), from: bad)
        #expect(fixture.mesh.isEmpty && fixture.counters.refusedGrafts == 1)
    }

    @Test("a pruned peer is not grafted before its backoff is over and a heartbeat more; whoever grafts during it is refused and pays")
    func backoff() throws {
        var fixture = try RouterFixture()
        let peer = try fixture.peer()
        fixture.subscribe()
        #expect(fixture.mesh == [peer])
        fixture.receive(GossipRPC(prune: [.init(topic: self.topic, backoffSeconds: 20)]), from: peer)
        #expect(fixture.mesh.isEmpty)
        fixture.beat(20)
        #expect(fixture.mesh.isEmpty)
        fixture.beat(1)
        #expect(fixture.mesh == [peer])
        _ = fixture.sent()

        // A minute without a number.
        fixture.receive(GossipRPC(prune: [.init(topic: self.topic, backoffSeconds: nil)]), from: peer)
        fixture.now += .seconds(30)
        fixture.receive(GossipRPC(graft: [self.topic]), from: peer)
        #expect(fixture.mesh.isEmpty && fixture.counters.graftsDuringBackoff == 1)
        #expect(fixture.sent()[peer]?.prune == [.init(topic: self.topic, backoffSeconds: 60)])
        // It began anew.
        fixture.beat(59)
        #expect(fixture.mesh.isEmpty)
        fixture.beat(3)
        #expect(fixture.mesh == [peer])
    }

    @Test("a backoff of all the seconds that 64 bits hold lasts an hour", arguments: [UInt64.max, UInt64(Int64.max), 1 << 40, 3601])
    func clampedBackoff(_ seconds: UInt64) throws {
        var fixture = try RouterFixture()
        let peer = try fixture.peer()
        fixture.subscribe()
        fixture.receive(GossipRPC(prune: [.init(topic: self.topic, backoffSeconds: seconds)]), from: peer)
        #expect(fixture.router.backoffs.end(peer, topic: self.topic) == fixture.now + .seconds(3600))
        fixture.now += .seconds(3600)
        fixture.beat(2)
        #expect(fixture.mesh == [peer])
    }

    @Test("v1.0 peers get no backoff and no peers in a PRUNE, and are in the mesh like others")
    func oldPeers() throws {
        var fixture = try RouterFixture { $0.exchangesPeers = true }
        let peer = try fixture.peer(old: true)
        fixture.subscribe()
        #expect(fixture.mesh == [peer])
        _ = fixture.sent()
        fixture.router.unsubscribe(self.topic, now: fixture.now)
        fixture.collect()
        #expect(fixture.sent()[peer]?.prune == [.init(topic: self.topic, backoffSeconds: nil)])
    }

    @Test("a GRAFT under a topic that is not subscribed to has no answer")
    func unknownTopic() throws {
        var fixture = try RouterFixture()
        let peer = try fixture.peer()
        fixture.receive(GossipRPC(graft: ["x"]), from: peer)
        #expect(fixture.sent().isEmpty && fixture.counters.refusedGrafts == 1 && fixture.counters.backoffCount == 0)
    }

    @Test("whoever unsubscribes, leaves, or loses its stream is in no mesh; who is back is grafted again")
    func leaving() throws {
        var fixture = try RouterFixture()
        let peers = try fixture.peers(3)
        fixture.subscribe()
        fixture.receive(GossipRPC(subscriptions: [.init(topic: self.topic, isSubscribed: false)]), from: peers[0])
        fixture.router.disconnected(peers[1], now: fixture.now)
        fixture.router.lostStream(to: peers[2])
        #expect(fixture.mesh.isEmpty && fixture.counters.peerCount == 2)
        fixture.beat()
        #expect(fixture.mesh == [peers[2]])
        fixture.router.restarted(peers[2])
        fixture.beat()
        #expect(fixture.mesh.isEmpty)
        fixture.receive(GossipRPC(subscriptions: [.init(topic: self.topic, isSubscribed: true)]), from: peers[2])
        fixture.beat()
        #expect(fixture.mesh == [peers[2]])
        // Not by what it says about itself only: whoever is not connected is nobody.
        fixture.receive(GossipRPC(graft: [self.topic]), from: peers[1])
        #expect(fixture.mesh == [peers[2]])
    }

    @Test("a mesh of peers that bring nothing takes in two better ones each minute")
    func opportunisticGrafting() throws {
        var fixture = try RouterFixture { $0.score.defaultTopic.timeInMeshWeight = 0 }
        fixture.subscribe()
        _ = try fixture.peers(8)
        fixture.beat(3)
        let mesh = fixture.mesh
        let better = try fixture.peers(5)
        for peer in better {
            let messages = try (0..<20).map { _ in try fixture.message() }
            fixture.receive(GossipRPC(messages: messages), from: peer)
        }
        fixture.beat(56)
        #expect(fixture.mesh == mesh)
        fixture.beat(1)
        #expect(fixture.mesh.count == mesh.count + 2 && fixture.mesh.suffix(2).allSatisfy { better.contains($0) })
    }

    @Test("direct peers are in no mesh, get everything, are believed everything, and their GRAFT is refused")
    func directPeers() throws {
        var generator = SeededGenerator(seed: 7)
        let direct = try PeerID.random(using: &generator)
        var fixture = try RouterFixture { $0.directPeers = [direct: []] }
        #expect((fixture.router.connected(direct, GossipPeerInfo())) as Bool)
        fixture.receive(GossipRPC(subscriptions: [.init(topic: self.topic, isSubscribed: true)]), from: direct)
        fixture.subscribe()
        fixture.beat(3)
        #expect(fixture.mesh.isEmpty)
        let other = try fixture.peer()
        _ = fixture.sent()
        let message = try fixture.message()
        fixture.receive(GossipRPC(messages: [message]), from: other)
        #expect(fixture.sent()[direct]?.messages == [message])
        fixture.receive(GossipRPC(graft: [self.topic]), from: direct)
        #expect(fixture.sent()[direct]?.prune.count == 1 && fixture.mesh.isEmpty)
        for _ in 0..<100 { fixture.router.scores.misbehaved(direct) }
        #expect(fixture.score(direct) < -1000 && !fixture.router.isGraylisted(direct))
        let last = try fixture.message()
        fixture.receive(GossipRPC(messages: [last]), from: direct)
        #expect(fixture.counters.delivered == 2)
    }

    @Test("the same seed gives the same mesh")
    func seeded() throws {
        func mesh(_ seed: UInt64) throws -> [PeerID] {
            var fixture = try RouterFixture(seed: seed)
            _ = try fixture.peers(30)
            fixture.subscribe()
            fixture.beat(5)
            return fixture.mesh
        }
        #expect(try mesh(3) == mesh(3))
        #expect(try mesh(3) != mesh(4))
    }
}
