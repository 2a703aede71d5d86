import DIGIdentity
import DIGMultiformats
import DIGTestSupport
import Testing

@testable import DIGPeerExchange

@Suite("Whom to dial")
struct DialPlanTests {
    let now = ContinuousClock.now

    func learned(_ count: Int, from source: PeerID? = nil, addresses: [Multiaddr] = [address(9, 9, 9, 9)]) throws -> LearnedPeers {
        var learned = LearnedPeers(maximumCount: 1000, maximumCountPerSource: 1000)
        let source = try source ?? Somebody().peer
        for _ in 0..<count { _ = learned.add(try Somebody().record(addresses: addresses), from: source) }
        return learned
    }

    func configuration(_ change: (inout PeerExchangeConfiguration) -> Void = { _ in }) -> PeerExchangeConfiguration {
        var configuration = PeerExchangeConfiguration()
        change(&configuration)
        return configuration
    }

    @Test("two at a time, until enough are connected, and never if it is switched off")
    func bounds() throws {
        var generator = SeededGenerator(seed: 1)
        let learned = try self.learned(20)
        var plan = DialPlan(configuration: self.configuration(), now: self.now)
        func next(links: Int = 0) -> PeerID? {
            plan.next(among: learned, linkCount: links, now: self.now, using: &generator, isConnected: { _ in false })?.peer
        }
        let (first, second) = (next(), next())
        #expect(first != nil && second != nil && first != second)
        #expect(next() == nil)
        if let first { plan.ended(first, isConnected: true, now: self.now) }
        #expect(next(links: 8) == nil)
        #expect(next(links: 7) == nil)
        #expect(next(links: 6) != nil)

        // Then a few more, one each minute.
        plan = DialPlan(configuration: self.configuration(), now: self.now)
        func extra(links: Int, after seconds: Int) -> Int {
            var count = 0
            let now = self.now + .seconds(seconds)
            while let record = plan.next(among: learned, linkCount: links, now: now, using: &generator, isConnected: { _ in false }) {
                plan.ended(record.peer, isConnected: true, now: now)
                count += 1
            }
            return count
        }
        #expect([extra(links: 8, after: 59), extra(links: 8, after: 60), extra(links: 9, after: 119), extra(links: 9, after: 120)] == [0, 1, 0, 1])
        #expect([extra(links: 11, after: 180), extra(links: 12, after: 1000)] == [1, 0])

        plan = DialPlan(configuration: self.configuration { $0.connectsToLearnedPeers = false }, now: self.now)
        #expect(next() == nil)
    }

    @Test("so many a minute, whatever comes of them")
    func rate() throws {
        var generator = SeededGenerator(seed: 2)
        let learned = try self.learned(100)
        var plan = DialPlan(configuration: self.configuration(), now: self.now)
        var count = 0
        for second in 0..<120 {
            let now = self.now + .seconds(second)
            while let record = plan.next(among: learned, linkCount: 0, now: now, using: &generator, isConnected: { _ in false }) {
                plan.ended(record.peer, isConnected: false, now: now)
                count += 1
            }
        }
        #expect((34...36).contains(count))
    }

    @Test("a peer is left alone after each dial, longer each time that it failed")
    func patience() throws {
        var generator = SeededGenerator(seed: 3)
        let learned = try self.learned(1)
        var plan = DialPlan(configuration: self.configuration(), now: self.now)
        var now = self.now
        for wait in [60, 120, 240, 480, 960, 1920, 3840, 3840] {
            guard let record = plan.next(among: learned, linkCount: 0, now: now, using: &generator, isConnected: { _ in false }) else { throw NeverHappened() }
            plan.ended(record.peer, isConnected: false, now: now)
            #expect(plan.next(among: learned, linkCount: 0, now: now + .seconds(wait - 1), using: &generator, isConnected: { _ in false }) == nil)
            now += .seconds(wait)
        }
        #expect(plan.next(among: learned, linkCount: 0, now: now, using: &generator, isConnected: { _ in true }) == nil)
    }

    @Test("private addresses that peers tell are not dialed, unless the network lives on them")
    func addresses() throws {
        var generator = SeededGenerator(seed: 4)
        let relay = try Somebody().peer
        let forbidden = [
            address(127, 0, 0, 1), address(10, 0, 0, 1), address(192, 168, 1, 1), address(169, 254, 169, 254), address(100, 64, 0, 1), address(224, 0, 0, 1),
            try Multiaddr("/ip6/::1/tcp/1"), try Multiaddr("/ip6/fe80::1/tcp/1"), try Multiaddr("/ip6/::ffff:10.0.0.1/tcp/1"), try Multiaddr("/memory/1"),
        ]
        func dials(_ addresses: [Multiaddr], _ change: (inout PeerExchangeConfiguration) -> Void = { _ in }) throws -> Bool {
            var plan = DialPlan(configuration: self.configuration(change), now: self.now)
            return plan.next(
                among: try self.learned(1, addresses: addresses), linkCount: 0, now: self.now, using: &generator, isConnected: { _ in false }) != nil
        }
        for address in forbidden { #expect(try !dials([address]), "\(address)") }
        #expect(try !dials([]))
        #expect(try dials(forbidden + [address(9, 9, 9, 9)]))
        #expect(try dials([address(10, 0, 0, 1)]) { $0.allowsPrivateAddresses = true })
        #expect(try dials([address(10, 0, 0, 1).encapsulating(.p2p(relay.multihash)).encapsulating(.p2pCircuit)]))
    }

    @Test("a source that names a hundred gets no more dials than one that names one")
    func fairness() throws {
        var generator = SeededGenerator(seed: 5)
        var learned = try self.learned(100)
        let (modest, one) = (try Somebody().peer, try Somebody())
        _ = learned.add(try one.record(), from: modest)
        var hits = 0
        for _ in 0..<200 {
            var plan = DialPlan(configuration: self.configuration(), now: self.now)
            if plan.next(among: learned, linkCount: 0, now: self.now, using: &generator, isConnected: { _ in false })?.peer == one.peer { hits += 1 }
        }
        #expect((70...130).contains(hits))
    }
}
