import DIGIdentity
import DIGTestSupport
import Testing

@testable import DIGKademlia

@Suite("Announcing again")
struct ProvideScheduleTests {
    let start = ContinuousClock.now

    func key(_ number: Int) -> [UInt8] { [UInt8(number >> 16 & 0xff), UInt8(number >> 8 & 0xff), UInt8(number & 0xff)] }

    @Test("a key is due at once, then after 22 h of its 48, or that share of a shorter lifetime")
    func intervals() {
        var schedule = ProvideSchedule(interval: .seconds(22 * 3600), maximumCount: 10)
        schedule.add([1], lifetime: .seconds(48 * 3600), due: self.start)
        #expect(schedule.next(now: self.start)?.key == [1])
        schedule.provided([KademliaKey(hashing: [1])], now: self.start)
        #expect(schedule.next(now: self.start) == nil)
        #expect(schedule.nextDue == self.start + .seconds(22 * 3600))
        schedule.add([2], lifetime: .seconds(3600), due: self.start)
        schedule.provided([KademliaKey(hashing: [2])], now: self.start)
        #expect(schedule.nextDue == self.start + .seconds(1650))
        #expect(schedule.remove([2]) == true)
        #expect(schedule.remove([2]) == false)
        #expect(schedule.next(now: self.start + .seconds(1650)) == nil)
        #expect(schedule.count == 1)
    }

    @Test("what failed is tried again ever later, never later than its interval")
    func failures() {
        var schedule = ProvideSchedule(interval: .seconds(3600), maximumCount: 10)
        schedule.add([1], lifetime: .seconds(480), due: self.start)
        let place = KademliaKey(hashing: [1])
        for wait in [30, 60, 120, 220, 220] {
            schedule.failed([place], now: self.start)
            #expect(schedule.nextDue == self.start + .seconds(wait))
        }
    }

    @Test("what failed is due at once when somebody is there again; what did not keeps its time")
    func retry() {
        var schedule = ProvideSchedule(interval: .seconds(3600), maximumCount: 10)
        for key in [[1], [2]] as [[UInt8]] { schedule.add(key, lifetime: .seconds(7200), due: self.start) }
        schedule.provided([KademliaKey(hashing: [1])], now: self.start)
        schedule.failed([KademliaKey(hashing: [2])], now: self.start)
        schedule.retry(now: self.start + .seconds(1))
        #expect(schedule.next(now: self.start + .seconds(1))?.key == [2])
        schedule.provided([KademliaKey(hashing: [2])], now: self.start + .seconds(1))
        #expect(schedule.next(now: self.start + .seconds(1)) == nil)
    }

    @Test("an announcement that is lost without a word leaves no gap: the next one comes before the record ends", arguments: [3600, 48 * 3600])
    func loss(lifetime: Int) throws {
        var generator = SeededGenerator(seed: 32)
        let provider = try PeerID.random(using: &generator)
        var schedule = ProvideSchedule(interval: .seconds(22 * 3600), maximumCount: 1)
        var store = ProviderStore()
        schedule.add([1], lifetime: .seconds(lifetime), due: self.start)
        var announcements = 0
        // Ten lifetimes, second by second; every other announcement is lost.
        for second in 0..<(10 * lifetime) {
            let now = self.start + .seconds(second)
            if let due = schedule.nextDue, due <= now, let entry = schedule.next(now: now) {
                if announcements.isMultiple(of: 2) {
                    let stored = StoredProvider(
                        provider: provider, addresses: [], statement: nil, sequence: UInt64(second), expiresAt: now + .seconds(lifetime))
                    _ = store.add(stored, under: [1], network: nil, now: now)
                }
                announcements += 1
                schedule.provided([entry.place], now: now)
            }
            if second.isMultiple(of: 30) {
                let isThere = store.providers(of: [1], limit: 1, now: now, using: &generator).count == 1
                if !isThere { Issue.record("gone after \(second) s") }
            }
        }
        #expect((20...22).contains(announcements))
    }

    @Test("holds no more keys than it may")
    func bounded() {
        var schedule = ProvideSchedule(interval: .seconds(60), maximumCount: 2)
        #expect(schedule.add([1], lifetime: .seconds(60), due: self.start) == true)
        #expect(schedule.add([2], lifetime: .seconds(60), due: self.start) == true)
        #expect(schedule.add([3], lifetime: .seconds(60), due: self.start) == false)
        #expect(schedule.add([2], lifetime: .seconds(60), due: self.start) == true)
    }

    @Test("a region has every key under the prefix that is due, or soon, and no other", arguments: [0, 1, 3, 8, 30])
    func region(prefixLength: Int) {
        var schedule = ProvideSchedule(interval: .seconds(3600), maximumCount: 10_000)
        for number in 0..<2000 {
            // Every third is not due for long.
            schedule.add(self.key(number), lifetime: .seconds(7200), due: number % 3 == 0 ? self.start + .seconds(2000) : self.start + .seconds(number % 800))
        }
        let place = KademliaKey(hashing: self.key(1))
        let region = schedule.region(around: place, prefixLength: prefixLength, limit: 10_000, now: self.start)
        let expected = Set((0..<2000).filter { $0 % 3 != 0 }.map { KademliaKey(hashing: self.key($0)) }.filter { $0.commonPrefixLength(with: place) >= prefixLength })
        #expect(Set(region.map(\.place)) == expected)
        #expect(region.first?.place == place)
        #expect(schedule.region(around: place, prefixLength: prefixLength, limit: 5, now: self.start).count == min(5, expected.count))
    }

    @Test("the sweep comes to every key once in the order of the key space")
    func sweep() {
        var schedule = ProvideSchedule(interval: .seconds(3600), maximumCount: 10_000)
        for number in 0..<500 { schedule.add(self.key(number), lifetime: .seconds(7200), due: self.start) }
        var seen: [KademliaKey] = []
        while let entry = schedule.next(now: self.start) {
            seen.append(entry.place)
            schedule.provided([entry.place], now: self.start)
        }
        #expect(seen.count == 500 && Set(seen).count == 500)
        #expect(seen == seen.sorted())
    }

    @Test("within a region that a lookup has seen, keys go to exactly the nodes that a lookup of their own would find")
    func assignment() throws {
        var generator = SeededGenerator(seed: 31)
        let network = try (0..<2000).map { _ in try KademliaPeer.random(using: &generator) }
        let around = KademliaKey.random(using: &generator)
        let found = Array(network.sorted { $0.key.distance(to: around) < $1.key.distance(to: around) }.prefix(40))
        let prefixLength = ProvideAssignment.prefixLength(around: around, found: found, wanted: 40)
        #expect(prefixLength > 4)
        #expect(ProvideAssignment.prefixLength(around: around, found: Array(found.prefix(39)), wanted: 40) == 0)
        let places = (0..<50).map { around.neighbour(sharing: prefixLength + $0 % 5, using: &generator) }
        let assigned = ProvideAssignment.assign(places, to: found, replication: 20)
        var (right, all) = (0, 0)
        for (index, place) in places.enumerated() {
            let own = Set(found.indices.filter { assigned[$0].contains(index) }.map { found[$0].key })
            #expect(own.count == 20)
            let ideal = Set(network.sorted { $0.key.distance(to: place) < $1.key.distance(to: place) }.prefix(20).map(\.key))
            right += own.intersection(ideal).count
            all += 20
        }
        // The nodes under the prefix are all known; those beside it may be others.
        #expect(Double(right) / Double(all) > 0.8)
    }
}
