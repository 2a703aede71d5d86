import DIGIdentity
import NIOCore
import OrderedCollections
import Testing

@testable import DIGGossipSub

@Suite("Gossipsub caches")
struct CacheTests {
    private let start = ContinuousClock.now

    @Test("the message cache tells about three windows, keeps five, and gives a message to each peer so often")
    func messageCache() throws {
        var fixture = try RouterFixture()
        let (peer, other) = (try fixture.peer(), try fixture.peer())
        var cache = MessageCache(length: 5, gossipLength: 3, maximumByteCount: 1 << 20)
        let message = try fixture.message()
        cache.put(message)
        cache.put(message)
        cache.put(try fixture.message(topic: "other"))
        #expect(cache.count == 2)
        for shift in 0..<5 {
            #expect(cache.gossipIDs(of: message.topic) == (shift < 3 ? [message.id] : []))
            #expect(cache.take(message.id, for: peer, limit: 10) == message)
            cache.shift()
        }
        #expect(cache.take(message.id, for: peer, limit: 10) == nil && cache.count == 0 && cache.byteCount == 0)
        cache.put(message)
        #expect(cache.take(message.id, for: peer, limit: 1) == message && cache.take(message.id, for: peer, limit: 1) == nil)
        #expect(cache.take(message.id, for: other, limit: 1) == message)
        #expect(cache.take(.init(1), for: peer, limit: 1) == nil)
    }

    @Test("the message cache keeps to its bytes: the oldest go, and what is too long is not kept")
    func messageCacheBound() throws {
        var fixture = try RouterFixture()
        var cache = MessageCache(length: 5, gossipLength: 3, maximumByteCount: 100_000)
        var messages: [GossipMessage] = []
        for index in 0..<100 {
            messages.append(try fixture.message(byteCount: 10_000))
            cache.put(messages[index])
            if index % 10 == 0 { cache.shift() }
            #expect(cache.byteCount <= 100_000)
        }
        #expect(cache.count == 9 && cache.evictedCount > 0)
        let peer = try fixture.peer()
        #expect(cache.take(messages[99].id, for: peer, limit: 1) != nil && cache.take(messages[89].id, for: peer, limit: 1) == nil)
        cache.put(try fixture.message(byteCount: 200_000))
        #expect(cache.count == 9)
    }

    @Test("what was seen is known for its time, and only so much of it")
    func seenCache() {
        var seen = SeenCache(timeToLive: .seconds(120), maximumCount: 100)
        let entry = SeenCache.Entry(fingerprint: 1, status: .ignored)
        #expect((seen.insert(.init(0), entry, now: self.start)) as Bool)
        #expect((!seen.insert(.init(0), entry, now: self.start)) as Bool)
        seen.expire(now: self.start + .seconds(119))
        #expect(seen.contains(.init(0)))
        seen[.init(0)]?.status = .rejected
        #expect(seen[.init(0)]?.status == .rejected)
        seen.expire(now: self.start + .seconds(120))
        #expect(!seen.contains(.init(0)))
        seen[.init(0)] = entry
        #expect(!seen.contains(.init(0)))
        for number in 0..<1000 { _ = seen.insert(.init(number), entry, now: self.start) }
        #expect(seen.count == 100 && seen.evictedCount == 900 && seen.contains(.init(999)) && !seen.contains(.init(899)))
    }

    @Test("a backoff never gets shorter; there are only so many")
    func backoffs() throws {
        var fixture = try RouterFixture()
        let peer = try fixture.peer()
        var backoffs = GossipBackoffs(maximumCount: 10)
        backoffs.add(peer, topic: "a", until: self.start + .seconds(60))
        backoffs.add(peer, topic: "a", until: self.start + .seconds(10))
        #expect(backoffs.end(peer, topic: "a") == self.start + .seconds(60) && backoffs.end(peer, topic: "b") == nil)
        backoffs.expire(now: self.start + .seconds(59))
        #expect(backoffs.count == 1)
        backoffs.expire(now: self.start + .seconds(60))
        #expect(backoffs.count == 0)
        for number in 0..<100 { backoffs.add(peer, topic: "\(number)", until: self.start + .seconds(number)) }
        #expect(backoffs.count == 10 && backoffs.end(peer, topic: "99") != nil && backoffs.end(peer, topic: "89") == nil)
    }
}

@Suite("Gossipsub outbound queue")
struct OutboundQueueTests {
    private var queue = OutboundQueue(maximumByteCount: 10_000, maximumMessages: 50)

    @Test("of a topic the last word counts; an RPC holds everything that waits")
    func lastWord() throws {
        var queue = self.queue
        #expect(queue.pop() == nil && queue.isEmpty)
        _ = queue.push(GossipRPC(subscriptions: [.init(topic: "a", isSubscribed: true)], graft: ["a", "b"]))
        _ = queue.push(GossipRPC(subscriptions: [.init(topic: "a", isSubscribed: false)], prune: [.init(topic: "a")]))
        _ = queue.push(GossipRPC(ihave: [.init(topic: "a", ids: [.init(1)])], iwant: [.init(2)]))
        #expect(
            queue.push(GossipRPC(ihave: [.init(topic: "a", ids: [.init(3)]), .init(topic: "b", ids: [])], iwant: [.init(4)])) == .init(gossip: 1))
        #expect(
            queue.pop()
                == GossipRPC(
                    subscriptions: [.init(topic: "a", isSubscribed: false)], ihave: [.init(topic: "a", ids: [.init(3)])], iwant: [.init(2), .init(4)],
                    graft: ["b"], prune: [.init(topic: "a")]))
        #expect(queue.isEmpty && queue.byteCount == 0 && queue.pop() == nil)
    }

    @Test("when it is full, gossip goes before messages, and the message that comes last is dropped")
    func full() throws {
        var fixture = try RouterFixture()
        var queue = self.queue
        #expect(queue.push(GossipRPC(ihave: [.init(topic: "a", ids: (0..<500).map { .init($0) })], iwant: [.init(1)])) == .init())
        let messages = try (0..<12).map { _ in try fixture.message(byteCount: 1000) }
        let dropped = queue.push(GossipRPC(messages: messages))
        #expect(dropped == .init(messages: 3, gossip: 501))
        #expect(queue.byteCount <= 10_000)
        #expect(queue.push(GossipRPC(ihave: [.init(topic: "a", ids: (0..<500).map { .init($0) })])) == .init(gossip: 500))
        #expect(queue.push(GossipRPC(iwant: (0..<500).map { .init($0) })) == .init(gossip: 500))
        // Control is never dropped.
        #expect(queue.push(GossipRPC(graft: ["a"])) == .init())
        let next = queue.pop()
        let rpc = try #require(next)
        #expect(rpc.graft == ["a"] && rpc.messages.count == 9 && queue.byteCount == 0)
        let many = try (0..<60).map { _ in try fixture.message(byteCount: 1) }
        #expect(queue.push(GossipRPC(messages: many)).messages == 10)
    }

    @Test("no RPC is longer than a peer reads, and nothing is lost on the way")
    func split() throws {
        var fixture = try RouterFixture()
        var queue = OutboundQueue(maximumByteCount: 64 << 20, maximumMessages: 10_000)
        var messages = try (0..<9000).map { _ in try fixture.message(byteCount: 100) }
        for _ in 0..<3 { messages.append(try fixture.message(byteCount: (1 << 20) - 8192)) }
        let topics = (0..<1500).map { String(repeating: "x", count: 500) + "\($0)" }
        var rpc = GossipRPC(subscriptions: topics.map { .init(topic: $0, isSubscribed: true) }, messages: messages)
        rpc.graft = topics
        rpc.ihave = (0..<20).map { topic in .init(topic: "\(topic)", ids: (0..<1000).map { .init(bytes: Array(repeating: UInt8(topic), count: 100) + [UInt8($0 % 250)]) }) }
        rpc.iwant = (0..<5000).map { .init(bytes: Array(repeating: 7, count: 120) + Array("\($0)".utf8)) }
        #expect(queue.push(rpc) == .init())
        var all = GossipRPC()
        var count = 0
        while let part = queue.pop() {
            count += 1
            let bytes = GossipCodec.encode(part)
            #expect(bytes.readableBytes <= GossipLimits.maximumRPCByteCount && !part.isEmpty)
            let decoded = try GossipCodec.decode(bytes)
            #expect((decoded == part) as Bool)
            all.subscriptions += part.subscriptions
            all.messages += part.messages
            all.graft += part.graft
            all.ihave += part.ihave
            all.iwant += part.iwant
        }
        #expect(count < 60 && queue.byteCount == 0)
        #expect((all == rpc) as Bool)
    }
}
