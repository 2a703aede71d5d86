import DIGIdentity
import OrderedCollections
import Testing

@testable import DIGGossipSub

/// One peer does its worst, for minutes of virtual time. The others are served, and what is kept has its bound.
@Suite("Gossipsub: hostile peers")
struct HostilePeerTests {
    private let topic = RouterFixture.topic

    /// A mesh of honest peers and somebody who is not.
    private func fixture(_ configure: (inout GossipSubConfiguration) -> Void = { _ in }) throws -> (RouterFixture, honest: [PeerID], attacker: PeerID) {
        var fixture = try RouterFixture(configure)
        let honest = try fixture.peers(8)
        let attacker = try fixture.peer()
        fixture.subscribe()
        _ = fixture.sent()
        return (fixture, honest, attacker)
    }

    /// An honest message is still delivered and passed on.
    private func expectService(_ fixture: inout RouterFixture, from peer: PeerID) throws {
        _ = fixture.sent()
        let before = fixture.counters.delivered
        let message = try fixture.message()
        fixture.receive(GossipRPC(messages: [message]), from: peer)
        #expect(fixture.counters.delivered == before + 1)
        #expect(fixture.sent().values.filter { $0.messages == [message] }.count >= 4)
    }

    @Test("a flood of offers: ten a heartbeat are looked at, 5,000 messages asked for, and soon none, because nothing of it comes")
    func offers() throws {
        var (fixture, honest, attacker) = try self.fixture()
        var number = 0
        for _ in 0..<60 {
            var asked = 0
            for _ in 0..<100 {
                number += 1000
                fixture.receive(GossipRPC(ihave: [.init(topic: self.topic, ids: (number..<number + 1000).map { .init($0) })]), from: attacker)
                asked += fixture.sent()[attacker]?.iwant.count ?? 0
                #expect(fixture.counters.promiseCount <= 40)
            }
            #expect(asked <= 5000)
            fixture.beat()
        }
        #expect(fixture.score(attacker) < -100 && !fixture.mesh.contains(attacker))
        #expect(fixture.counters.requestedMessages <= 10 * 5000 && fixture.counters.ignoredIHave + fixture.counters.graylistedRPCs >= 5900)
        #expect(fixture.counters.brokenPromises >= 10 && fixture.counters.seenCount == 0)
        fixture.receive(GossipRPC(ihave: [.init(topic: self.topic, ids: [.init(1)])]), from: attacker)
        #expect(fixture.sent()[attacker] == nil)
        try self.expectService(&fixture, from: honest[0])
    }

    @Test("a flood of questions: each message is sent three times, and unknown ones cost nothing")
    func questions() throws {
        var (fixture, honest, attacker) = try self.fixture()
        let messages = try (0..<100).map { _ in try fixture.message() }
        fixture.receive(GossipRPC(messages: messages), from: honest[0])
        _ = fixture.sent()
        var sent = 0
        for _ in 0..<1000 {
            fixture.receive(GossipRPC(iwant: messages.map(\.id) + (0..<900).map { .init($0) }), from: attacker)
            sent += fixture.sent()[attacker]?.messages.count ?? 0
        }
        #expect(sent == 300 && fixture.counters.ignoredIWant == 1_000_000 - 300)
        try self.expectService(&fixture, from: honest[1])
    }

    @Test("a flood of GRAFT during the backoff: the answers are few, the peer is graylisted, and comes into no mesh")
    func grafts() throws {
        var (fixture, honest, attacker) = try self.fixture()
        fixture.receive(GossipRPC(prune: [.init(topic: self.topic, backoffSeconds: 60)]), from: attacker)
        _ = fixture.sent()
        var answers = 0
        for _ in 0..<1000 {
            fixture.receive(GossipRPC(graft: Array(repeating: self.topic, count: 256)), from: attacker)
            answers += fixture.sent()[attacker]?.prune.count ?? 0
        }
        #expect(answers <= 32 && fixture.router.isGraylisted(attacker) && !fixture.mesh.contains(attacker))
        #expect(fixture.counters.graylistedRPCs >= 999 && fixture.counters.backoffCount == 1)
        // Leaving and coming back does not help.
        fixture.router.disconnected(attacker, now: fixture.now)
        #expect((fixture.router.connected(attacker, GossipPeerInfo())) as Bool)
        #expect(fixture.router.isGraylisted(attacker) && fixture.router.backoffs.end(attacker, topic: self.topic) != nil)
        try self.expectService(&fixture, from: honest[0])
    }

    @Test("10,000 subscriptions: 256 are kept, and those that count here")
    func subscriptions() throws {
        var (fixture, honest, attacker) = try self.fixture()
        for part in 0..<10 {
            fixture.receive(
                GossipRPC(subscriptions: (0..<1000).map { .init(topic: "t\(part * 1000 + $0)", isSubscribed: true) }), from: attacker)
        }
        #expect(fixture.router.peers[attacker]?.topics.count == 256 && fixture.router.members.count == 256)
        #expect(fixture.counters.ignoredSubscriptions == 10_000 - 255 && fixture.score(attacker) < 0)
        fixture.receive(
            GossipRPC(subscriptions: [.init(topic: self.topic, isSubscribed: false), .init(topic: "new", isSubscribed: true), .init(topic: self.topic, isSubscribed: true)]),
            from: attacker)
        #expect(fixture.router.peers[attacker]?.topics.contains(self.topic) == true)
        // On and off, without end.
        for _ in 0..<1000 {
            fixture.receive(
                GossipRPC(subscriptions: [.init(topic: self.topic, isSubscribed: false), .init(topic: self.topic, isSubscribed: true)]), from: attacker)
        }
        fixture.router.disconnected(attacker, now: fixture.now)
        #expect(Set(fixture.router.members.keys) == [self.topic])
        try self.expectService(&fixture, from: honest[0])
    }

    @Test("a flood of forged messages ends in the middle of the RPC; nothing of it is remembered")
    func forged() throws {
        var (fixture, honest, attacker) = try self.fixture()
        let messages = try (0..<4000).map { _ in try fixture.message() }
        var checked = 0
        for message in messages where fixture.router.wants(message, from: attacker, now: fixture.now) {
            checked += 1
            #expect((!fixture.router.verified(message, isSigned: false, from: attacker, now: fixture.now)) as Bool)
        }
        #expect(checked == 4 && fixture.router.isGraylisted(attacker))
        #expect(fixture.counters.seenCount == 0 && fixture.counters.cachedMessageCount == 0 && fixture.counters.delivered == 0)
        fixture.beat()
        #expect(!fixture.mesh.contains(attacker))
        // It fades in the course of an hour, so an honest peer with a fault can come back.
        fixture.beat(3600)
        #expect(!fixture.router.isGraylisted(attacker))
        try self.expectService(&fixture, from: honest[0])
    }

    @Test("rejected messages: four of them and the peer is no longer heard")
    func rejected() throws {
        var (fixture, honest, attacker) = try self.fixture()
        for _ in 0..<100 { fixture.receive(GossipRPC(messages: [try fixture.message()]), from: attacker, verdict: .reject) }
        #expect(fixture.counters.rejected == 4 && fixture.counters.unwantedMessages == 96)
        try self.expectService(&fixture, from: honest[0])
    }

    @Test("a flood of signed messages that the application takes: seen and cache keep to their bounds")
    func validFlood() throws {
        var (fixture, honest, attacker) = try self.fixture {
            $0.maximumSeenCount = 1000
            $0.maximumCacheByteCount = 200_000
        }
        for _ in 0..<20 {
            fixture.receive(GossipRPC(messages: try (0..<500).map { _ in try fixture.message(byteCount: 1000) }), from: attacker)
            _ = fixture.sent()
            #expect(fixture.counters.seenCount <= 1000 && fixture.counters.cachedByteCount <= 200_000)
            fixture.beat()
        }
        // No merit without end either.
        #expect(fixture.score(attacker) <= 50)
        fixture.beat(130)
        #expect(fixture.counters.seenCount == 0 && fixture.counters.cachedMessageCount == 0)
        try self.expectService(&fixture, from: honest[0])
    }

    @Test("RPCs that can't be read, and such with too much in them, count as offences")
    func malformed() throws {
        var (fixture, honest, attacker) = try self.fixture()
        for _ in 0..<10 { fixture.router.sentMalformed(attacker) }
        for _ in 0..<10 { fixture.receive(GossipRPC(excessCount: 100_000), from: attacker) }
        #expect(fixture.counters.malformedRPCs == 10 && fixture.counters.excessItems < 1_000_000 && fixture.counters.graylistedRPCs > 0)
        #expect(fixture.router.isGraylisted(attacker))
        try self.expectService(&fixture, from: honest[0])
    }

    @Test("a crowd from one address has a bad score together, and takes no mesh")
    func crowd() throws {
        var (fixture, honest, _) = try self.fixture()
        var crowd: [PeerID] = []
        for _ in 0..<100 { crowd.append(try fixture.peer(network: "203.0.113.7")) }
        for peer in crowd { fixture.receive(GossipRPC(graft: [self.topic]), from: peer) }
        fixture.beat()
        #expect(crowd.allSatisfy { fixture.router.isGraylisted($0) && !fixture.mesh.contains($0) })
        #expect(fixture.mesh.count >= 5)
        try self.expectService(&fixture, from: honest[0])
    }

    @Test("peers beyond the limit are not taken in; those that come and go leave no trace")
    func churn() throws {
        var (fixture, honest, _) = try self.fixture { $0.maximumPeers = 20 }
        for _ in 0..<500 {
            let peer = try PeerID.random(using: &fixture.generator)
            guard fixture.router.connected(peer, GossipPeerInfo()) else { continue }
            fixture.receive(GossipRPC(subscriptions: [.init(topic: "x\(peer)", isSubscribed: true)], graft: [self.topic]), from: peer)
            fixture.receive(GossipRPC(ihave: [.init(topic: self.topic, ids: [.init(1)])]), from: peer)
            if fixture.counters.peerCount == 20 { fixture.router.disconnected(peer, now: fixture.now) }
        }
        #expect(fixture.counters.peerCount <= 20)
        var extra: [PeerID] = []
        for _ in 0..<20 {
            let peer = try PeerID.random(using: &fixture.generator)
            if fixture.router.connected(peer, GossipPeerInfo()) { extra.append(peer) }
        }
        #expect(fixture.counters.refusedPeers >= 19 && extra.count <= 1)
        #expect(fixture.counters.scoredPeerCount <= 20 && fixture.counters.promiseCount <= 20)
        try self.expectService(&fixture, from: honest[0])
    }

    @Test("whoever is not connected is not heard")
    func unknownPeer() throws {
        var (fixture, _, _) = try self.fixture()
        let stranger = try PeerID.random(using: &fixture.generator)
        let before = fixture.counters
        fixture.receive(
            GossipRPC(
                subscriptions: [.init(topic: "x", isSubscribed: true)], messages: [try fixture.message()],
                ihave: [.init(topic: self.topic, ids: [.init(1)])], iwant: [.init(2)], graft: [self.topic]), from: stranger)
        #expect(fixture.sent().isEmpty && fixture.counters.delivered == before.delivered && fixture.counters.scoredPeerCount == before.scoredPeerCount)
        #expect((!fixture.router.connected(fixture.router.localPeer, GossipPeerInfo())) as Bool)
    }
}
