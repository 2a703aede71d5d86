import DIGIdentity
import DIGMultiformats
import DIGTestSupport
import OrderedCollections
import Testing

@testable import DIGGossipSub

@Suite("Gossipsub messages and gossip")
struct MessageTests {
    private let topic = RouterFixture.topic

    @Test("a message is delivered once and passed on to the mesh, but not to whoever brought or published it")
    func forwarding() throws {
        var fixture = try RouterFixture()
        let peers = try fixture.peers(5)
        fixture.subscribe()
        _ = fixture.sent()
        let message = try fixture.message(of: peers[1])
        fixture.receive(GossipRPC(messages: [message]), from: peers[0])
        #expect(fixture.actions.contains(.deliver(message)))
        let sent = fixture.sent()
        #expect(Set(sent.filter { $0.value.messages == [message] }.keys) == Set(peers[2...]))
        fixture.receive(GossipRPC(messages: [message]), from: peers[2])
        #expect(fixture.sent().isEmpty && fixture.counters.duplicates == 1 && fixture.counters.delivered == 1)
        #expect(fixture.score(peers[0]) > 0 && fixture.score(peers[2]) == 0)
    }

    @Test("a verdict to ignore or reject stops the message; only rejection is somebody's fault")
    func verdicts() throws {
        var fixture = try RouterFixture()
        let peers = try fixture.peers(5)
        fixture.subscribe()
        _ = fixture.sent()
        fixture.receive(GossipRPC(messages: [try fixture.message()]), from: peers[0], verdict: .ignore)
        let bad = try fixture.message()
        fixture.receive(GossipRPC(messages: [bad]), from: peers[1], verdict: .reject)
        #expect(fixture.actions.isEmpty && fixture.counters.ignored == 1 && fixture.counters.rejected == 1)
        #expect(fixture.score(peers[0]) == 0 && fixture.score(peers[1]) == -100)
        // Whoever brings it later is as much to blame; whoever brings another one with its name is not.
        fixture.receive(GossipRPC(messages: [bad]), from: peers[2])
        #expect(fixture.score(peers[2]) == -100)
        let twin = GossipMessage(
            publisher: bad.publisher, sequenceNumber: bad.sequenceNumber, topic: bad.topic, data: [7], signature: [1, 1, 1])
        fixture.receive(GossipRPC(messages: [twin]), from: peers[3])
        #expect(fixture.score(peers[3]) == 0)
    }

    @Test("whoever brings a message while it is being judged shares the credit or the blame")
    func judging() throws {
        var fixture = try RouterFixture()
        let peers = try fixture.peers(4)
        fixture.subscribe()
        for verdict in [GossipVerdict.accept, .reject] {
            let message = try fixture.message()
            #expect((fixture.router.wants(message, from: peers[0], now: fixture.now)) as Bool)
            #expect((fixture.router.verified(message, isSigned: true, from: peers[0], now: fixture.now)) as Bool)
            #expect((!fixture.router.wants(message, from: peers[1], now: fixture.now)) as Bool)
            _ = fixture.sent()
            fixture.router.validated(message, verdict: verdict, from: peers[0], now: fixture.now)
            fixture.collect()
            // It has it.
            #expect(fixture.sent()[peers[1]] == nil)
        }
        #expect(fixture.score(peers[0]) < 0 && fixture.score(peers[1]) == -100)
    }

    @Test("a forged message does not keep the real one with its name out")
    func forgery() throws {
        var fixture = try RouterFixture()
        let peers = try fixture.peers(4)
        fixture.subscribe()
        let real = try fixture.message()
        let forged = GossipMessage(
            publisher: real.publisher, sequenceNumber: real.sequenceNumber, topic: real.topic, data: [6, 6, 6], signature: [0])
        fixture.receive(GossipRPC(messages: [forged]), from: peers[0], isSigned: false)
        #expect(fixture.counters.invalidSignatures == 1 && fixture.score(peers[0]) == -100 && fixture.counters.seenCount == 0)
        fixture.receive(GossipRPC(messages: [real]), from: peers[1])
        #expect(fixture.actions.contains(.deliver(real)))
    }

    @Test("messages of nobody, under other topics, too long ones, and own ones that come back are not taken")
    func unwanted() throws {
        var fixture = try RouterFixture { $0.maximumMessageByteCount = 100 }
        let peer = try fixture.peer()
        fixture.subscribe()
        fixture.receive(GossipRPC(messages: [try fixture.message(topic: "other")]), from: peer)
        fixture.receive(GossipRPC(messages: [try fixture.message(of: fixture.router.localPeer)]), from: peer)
        #expect(fixture.counters.unwantedMessages == 1 && fixture.counters.ownMessagesReturned == 1 && fixture.score(peer) == 0)
        fixture.receive(GossipRPC(messages: [try fixture.message(byteCount: 101)]), from: peer)
        #expect(fixture.counters.excessItems == 1)
        fixture.receive(GossipRPC(brokenMessageTopics: [self.topic, "other"]), from: peer)
        #expect(fixture.counters.invalidSignatures == 1 && fixture.score(peer) == -100)
        #expect(fixture.counters.delivered == 0 && fixture.counters.seenCount == 0)
    }

    @Test("own messages go to all with a score for it; without flooding to the mesh, and where there is none to a fanout that is remembered")
    func publishing() throws {
        var fixture = try RouterFixture()
        let peers = try fixture.peers(20)
        for _ in 0..<13 { fixture.router.scores.misbehaved(peers[0]) }
        #expect(fixture.score(peers[0]) < -400)
        fixture.subscribe()
        _ = fixture.sent()
        let message = try fixture.message(of: fixture.router.localPeer)
        #expect(fixture.publish(message) == 19)
        #expect(fixture.sent()[peers[0]] == nil)
        #expect(fixture.publish(message) == 0)

        var quiet = try RouterFixture { $0.floodsOwnMessages = false }
        _ = try quiet.peers(20)
        let first = try quiet.message(of: quiet.router.localPeer)
        #expect(quiet.publish(first) == 6)
        let fanout = Set(quiet.sent().keys)
        let second = try quiet.message(of: quiet.router.localPeer)
        _ = quiet.publish(second)
        #expect(Set(quiet.sent().keys) == fanout)
        // Those are grafted first.
        quiet.subscribe()
        #expect(Set(quiet.mesh) == fanout)
        _ = quiet.sent()
        let third = try quiet.message(of: quiet.router.localPeer)
        #expect(quiet.publish(third) == 6)
        #expect(Set(quiet.sent().keys) == fanout)
    }

    @Test("a fanout is filled up when peers leave it, and forgotten after a minute")
    func fanout() throws {
        var fixture = try RouterFixture { $0.floodsOwnMessages = false }
        _ = try fixture.peers(12)
        _ = fixture.publish(try fixture.message(of: fixture.router.localPeer))
        let fanout = Array(fixture.sent().keys)
        fixture.router.disconnected(fanout[0], now: fixture.now)
        fixture.receive(GossipRPC(subscriptions: [.init(topic: self.topic, isSubscribed: false)]), from: fanout[1])
        #expect(fixture.router.fanouts[self.topic]?.peers.count == 4)
        fixture.beat()
        #expect(fixture.router.fanouts[self.topic]?.peers.count == 6)
        fixture.beat(60)
        #expect(fixture.router.fanouts.isEmpty)
        _ = fixture.publish(try fixture.message(of: fixture.router.localPeer, topic: "nobody"))
        #expect(fixture.router.fanouts.isEmpty)
    }

    @Test("what was here is told to D_lazy peers or a quarter outside the mesh for three heartbeats, and sent to who asks for five")
    func gossip() throws {
        var fixture = try RouterFixture()
        let peers = try fixture.peers(40)
        fixture.subscribe()
        let message = try fixture.message()
        fixture.receive(GossipRPC(messages: [message]), from: fixture.mesh[0])
        _ = fixture.sent()
        for round in 0..<3 {
            fixture.beat()
            let told = fixture.sent().filter { $0.value.ihave == [.init(topic: self.topic, ids: [message.id])] }
            // A quarter of the 34.
            #expect(told.count == 8 && told.keys.allSatisfy { !fixture.mesh.contains($0) }, "\(round)")
        }
        fixture.beat()
        #expect(fixture.sent().values.allSatisfy { $0.ihave.isEmpty })
        // Three times each.
        for count in 1...4 {
            fixture.receive(GossipRPC(iwant: [message.id]), from: peers[0])
            #expect(fixture.sent()[peers[0]]?.messages == (count <= 3 ? [message] : nil))
        }
        fixture.beat()
        fixture.receive(GossipRPC(iwant: [message.id]), from: peers[1])
        #expect(fixture.sent()[peers[1]] == nil && fixture.counters.ignoredIWant == 2 && fixture.counters.cachedMessageCount == 0)
    }

    @Test("what is not known is asked for; what was seen is not, nor what no one here has subscribed to")
    func offers() throws {
        var fixture = try RouterFixture()
        let peer = try fixture.peer()
        fixture.subscribe()
        let (seen, other) = (try fixture.message(), try fixture.message())
        fixture.receive(GossipRPC(messages: [seen]), from: peer)
        _ = fixture.sent()
        let own = GossipMessageID(bytes: fixture.router.localPeer.bytes + [1])
        fixture.receive(
            GossipRPC(ihave: [.init(topic: self.topic, ids: [seen.id, other.id, other.id, own]), .init(topic: "x", ids: [.init(1)])]), from: peer)
        #expect(fixture.sent()[peer]?.iwant == [other.id])
        #expect(fixture.counters.ignoredIHave == 1 && fixture.counters.requestedMessages == 1 && fixture.counters.promiseCount == 1)
        // Kept.
        fixture.receive(GossipRPC(messages: [other]), from: peer)
        #expect(fixture.counters.promiseCount == 0)
        fixture.beat(5)
        #expect(fixture.counters.brokenPromises == 0)
    }

    @Test("whoever does not send what it has offered pays for each offer; who sends it instead does not matter")
    func promises() throws {
        var fixture = try RouterFixture()
        let (liar, other) = (try fixture.peer(), try fixture.peer())
        fixture.subscribe()
        let message = try fixture.message()
        fixture.receive(GossipRPC(ihave: [.init(topic: self.topic, ids: [message.id])]), from: liar)
        fixture.receive(GossipRPC(messages: [message]), from: other)
        fixture.beat(4)
        #expect(fixture.counters.brokenPromises == 0)
        for round in 0..<10 {
            fixture.receive(GossipRPC(ihave: [.init(topic: self.topic, ids: (0..<50).map { .init(round * 50 + $0) })]), from: liar)
        }
        fixture.beat(2)
        #expect(fixture.counters.brokenPromises == 0)
        fixture.beat(1)
        #expect(fixture.counters.brokenPromises == 10 && fixture.counters.promiseCount == 0)
        #expect(fixture.score(liar) < 0 && fixture.score(other) >= 0)
    }

    @Test("peer exchange is believed from a trusted peer only, and only with a record that the named peer has signed")
    func peerExchange() throws {
        var trusted = Set<PeerID>()
        let (known, stranger, forged) = (try KeyPair.generate(), try KeyPair.generate(), try KeyPair.generate())
        let address = try Multiaddr("/ip4/1.2.3.4/tcp/4001")
        func record(_ key: KeyPair) throws -> [UInt8] {
            try PeerRecord(peer: key.peerID, sequence: 1, addresses: [address]).sealed(with: key).encoded
        }
        var generator = SeededGenerator(seed: 7)
        let (friend, other) = (try PeerID.random(using: &generator), try PeerID.random(using: &generator))
        trusted.insert(friend)
        let (friends, topic) = (trusted, self.topic)
        var fixture = try RouterFixture { $0.score.applicationScore = { friends.contains($0) ? 1000 : 0 } }
        for peer in [friend, other] { #expect((fixture.router.connected(peer, GossipPeerInfo())) as Bool) }
        fixture.subscribe()
        let prune = GossipRPC(prune: [
            .init(
                topic: topic, backoffSeconds: 60,
                peers: [
                    .init(peer: known.peerID, record: try record(known)), .init(peer: stranger.peerID, record: nil),
                    .init(peer: forged.peerID, record: try record(known)), .init(peer: stranger.peerID, record: [1, 2, 3]),
                ])
        ])
        fixture.receive(prune, from: other)
        #expect(fixture.counters.ignoredExchangedPeers == 4 && !fixture.actions.contains { if case .connect = $0 { true } else { false } })
        fixture.receive(prune, from: friend)
        #expect(fixture.actions.contains(.connect(known.peerID, addresses: [address])))
        #expect(fixture.counters.exchangedPeers == 1 && fixture.counters.ignoredExchangedPeers == 7)
    }

    @Test("peers pruned because there are too many get others with their records, if that is wanted; those with a bad score do not")
    func exchanging() throws {
        var fixture = try RouterFixture { $0.exchangesPeers = true }
        fixture.subscribe()
        let peers = try fixture.peers(13, outbound: true)
        for peer in peers {
            fixture.router.peers[peer]?.info.record = [9]
            fixture.receive(GossipRPC(graft: [self.topic]), from: peer)
        }
        _ = fixture.sent()
        fixture.beat()
        let pruned = fixture.sent().filter { !$0.value.prune.isEmpty }
        #expect(pruned.count == 7)
        for (peer, rpc) in pruned {
            let named = try #require(rpc.prune.first?.peers)
            #expect(named.count == 12 && !named.contains { $0.peer == peer } && named.allSatisfy { $0.record == [9] })
        }
    }
}
