import DIGIdentity
import DIGTestSupport
import Testing

@testable import DIGKademlia

@Suite("What is kept for others")
struct StoreTests {
    let start = ContinuousClock.now

    func provider(_ generator: inout SeededGenerator, sequence: UInt64 = 0, lifetime: Duration = .seconds(3600)) throws -> StoredProvider {
        StoredProvider(provider: try .random(using: &generator), addresses: [], statement: nil, sequence: sequence, expiresAt: self.start + lifetime)
    }

    func network(_ a: Int, _ b: Int = 0) -> NetworkGroup? { NetworkGroup(address(UInt8(1 + a / 200), UInt8(b), UInt8(a % 200), 1)) }

    @Test("whoever has the most loses its oldest; among equals the newcomer's own goes")
    func fairness() {
        let (a, b, c) = (self.network(1), self.network(2), self.network(3))
        #expect(FairEviction.victim(among: [a, b, b, c], for: c) == 1)
        #expect(FairEviction.victim(among: [a, b, b, c], for: b) == 1)
        #expect(FairEviction.victim(among: [a, b, c], for: c) == 2)
        #expect(FairEviction.victim(among: [a, b, c], for: self.network(4)) == 0)
        #expect(FairEviction.victim(among: [], for: a) == nil)
    }

    @Test("records live for as long as they say, at most 48 hours")
    func expiry() throws {
        var generator = SeededGenerator(seed: 21)
        var store = ProviderStore()
        #expect(store.add(try self.provider(&generator, lifetime: .zero), under: [1], network: nil, now: self.start) == .expired)
        #expect(store.add(try self.provider(&generator), under: [1], network: nil, now: self.start) == .added)
        #expect(store.add(try self.provider(&generator, lifetime: .seconds(1_000_000)), under: [1], network: nil, now: self.start) == .added)
        func count(after seconds: Int) -> Int {
            store.providers(of: [1], limit: 10, now: self.start + .seconds(seconds), using: &generator).count
        }
        #expect(count(after: 3599) == 2)
        #expect(count(after: 3600) == 1)
        #expect(count(after: 48 * 3600 - 1) == 1)
        #expect(count(after: 48 * 3600) == 0)
        store.expire(now: self.start + .seconds(3600))
        #expect(store.count == 1)
        store.expire(now: self.start + .seconds(48 * 3600))
        #expect(store.count == 0 && store.keyCount == 0)
    }

    @Test("a newer statement takes the place of an older one, never the other way round; it can be taken back")
    func sequence() throws {
        var generator = SeededGenerator(seed: 22)
        var store = ProviderStore()
        var provider = try self.provider(&generator, sequence: 5)
        #expect(store.add(provider, under: [1], network: nil, now: self.start) == .added)
        provider.sequence = 4
        #expect(store.add(provider, under: [1], network: nil, now: self.start) == .outdated)
        provider.sequence = 6
        #expect(store.add(provider, under: [1], network: nil, now: self.start) == .updated)
        #expect(store.remove(provider.provider, under: [1], sequence: 5) == false)
        #expect(store.remove(provider.provider, under: [1], sequence: 7) == true)
        #expect(store.count == 0 && store.keyCount == 0)
    }

    @Test("an announcement that comes after the withdrawal that overtook it has no effect, a newer one has; so many withdrawals are remembered")
    func withdrawal() throws {
        var generator = SeededGenerator(seed: 27)
        var configuration = ProviderStoreConfiguration()
        configuration.maximumWithdrawals = 100
        var store = ProviderStore(configuration: configuration)
        var provider = try self.provider(&generator, sequence: 5)
        store.withdraw(provider.provider, under: [1], sequence: 6, until: self.start + .seconds(600), now: self.start)
        #expect(store.add(provider, under: [1], network: nil, now: self.start) == .outdated)
        #expect(store.add(provider, under: [2], network: nil, now: self.start) == .added)
        provider.sequence = 7
        #expect(store.add(provider, under: [1], network: nil, now: self.start) == .added)
        // An older withdrawal changes nothing.
        store.withdraw(provider.provider, under: [1], sequence: 5, until: self.start + .seconds(600), now: self.start)
        #expect(store.providers(of: [1], limit: 1, now: self.start, using: &generator).count == 1)
        for _ in 0..<10_000 { store.withdraw(try .random(using: &generator), under: [1], sequence: 1, until: self.start + .seconds(600), now: self.start) }
        #expect(store.withdrawalCount == 100)
        store.expire(now: self.start + .seconds(600))
        #expect(store.withdrawalCount == 0)
    }

    @Test("10,000 providers of one key leave a hundred; a flood from one network pushes out only itself")
    func floodOfOneKey() throws {
        var generator = SeededGenerator(seed: 23)
        var store = ProviderStore()
        var honest: [PeerID] = []
        for index in 0..<50 {
            let provider = try self.provider(&generator)
            honest.append(provider.provider)
            _ = store.add(provider, under: [1], network: self.network(index), now: self.start)
        }
        // One /24, then some forty of them with 8 each.
        for _ in 0..<5000 { _ = store.add(try self.provider(&generator), under: [1], network: self.network(150), now: self.start) }
        #expect(store.count == 58)
        for index in 0..<5000 { _ = store.add(try self.provider(&generator), under: [1], network: self.network(index % 40, 9), now: self.start) }
        #expect(store.count == 100)
        let kept = store.providers(of: [1], limit: 1000, now: self.start, using: &generator).map(\.provider)
        #expect(kept.count == 100)
        #expect(Set(kept).isSuperset(of: honest))
        #expect(store.providers(of: [1], limit: 20, now: self.start, using: &generator).count == 20)
        #expect(store.evictedCount == 9950)
    }

    @Test("a store that is full lets the oldest go, and no source fills it alone")
    func full() throws {
        var generator = SeededGenerator(seed: 24)
        var configuration = ProviderStoreConfiguration()
        configuration.maximumRecords = 1000
        configuration.maximumRecordsPerSource = 400
        var store = ProviderStore(configuration: configuration)
        var outcomes: [ProviderStore.Addition: Int] = [:]
        let flooder = try self.provider(&generator)
        for index in 0..<2000 {
            outcomes[store.add(flooder, under: [2, UInt8(index / 256), UInt8(index % 256)], network: nil, now: self.start), default: 0] += 1
        }
        #expect(outcomes == [.added: 400, .refused: 1600])
        for index in 0..<5000 {
            let key = [3, UInt8(index / 256), UInt8(index % 256)]
            #expect(store.add(try self.provider(&generator), under: key, network: self.network(index % 100), now: self.start) == .added)
            #expect(store.count <= 1000)
        }
        #expect(store.count == 1000)
        #expect(store.providers(of: [2, 0, 0], limit: 1, now: self.start, using: &generator).isEmpty)
        #expect(store.providers(of: [3, UInt8(4999 / 256), UInt8(4999 % 256)], limit: 1, now: self.start, using: &generator).count == 1)
    }

    @Test("values: bounded in length, number, bytes and for each source; one under each key")
    func values() throws {
        var generator = SeededGenerator(seed: 25)
        var configuration = ValueStoreConfiguration()
        configuration.maximumValues = 100
        configuration.maximumByteCount = 5000
        configuration.maximumValuesPerSource = 50
        configuration.maximumValueByteCount = 100
        var store = ValueStore(configuration: configuration)
        let peer = try PeerID.random(using: &generator)
        let end = self.start + .seconds(1_000_000)
        func put(_ key: [UInt8], _ count: Int, _ source: ValueStore.Source) -> Bool {
            store.store(ValueRecord(key: key, value: Array(repeating: 1, count: count)), expiresAt: end, source: source, now: self.start)
        }
        #expect(!put([1], 101, .init(peer, nil)))
        for index in 0..<60 { #expect(put([1, UInt8(index)], 10, .init(peer, nil)) == (index < 50)) }
        #expect(put([1, 0], 20, .init(peer, nil)) == false || store.count == 50)
        for index in 0..<200 { #expect(put([2, UInt8(index)], 10, .init(peer, self.network(index)))) }
        #expect(store.count == 100 && store.byteCount <= 5000)
        for index in 0..<200 { #expect(put([3, UInt8(index)], 100, .init(peer, self.network(index)))) }
        #expect(store.byteCount <= 5000 && store.count < 60)
        #expect(store.value(under: [3, 199], now: self.start) != nil)
        // 48 hours, whatever was claimed.
        #expect(store.value(under: [3, 199], now: self.start + .seconds(48 * 3600)) == nil)
        store.expire(now: self.start + .seconds(48 * 3600))
        #expect(store.count == 0 && store.byteCount == 0)
    }

    @Test("mailboxes: one letter of each sender, the newest; a flood from one network pushes out only itself; bounded in all")
    func mailboxes() throws {
        var generator = SeededGenerator(seed: 26)
        var configuration = MailboxStoreConfiguration()
        configuration.maximumLetters = 200
        configuration.maximumRecipients = 50
        var store = MailboxStore(configuration: configuration)
        let recipient = try PeerID.random(using: &generator)
        let end = self.start + .seconds(60)
        func post(_ sender: PeerID, to recipient: PeerID, _ sequence: UInt64, _ network: NetworkGroup?) -> Bool {
            let letter = Letter(
                sender: sender, recipient: recipient, sequence: sequence, expiresAtMilliseconds: 0, encapsulatedKey: [], ciphertext: [])
            return store.add(letter, bytes: sender.bytes + [UInt8(sequence)], network: network, expiresAt: end, now: self.start)
        }
        let friend = try PeerID.random(using: &generator)
        #expect(post(friend, to: recipient, 1, self.network(1)))
        #expect(post(friend, to: recipient, 3, self.network(1)))
        #expect(!post(friend, to: recipient, 2, self.network(1)))
        #expect(store.letters(for: recipient, now: self.start) == [friend.bytes + [3]])
        for _ in 0..<100 { _ = post(try .random(using: &generator), to: recipient, 1, self.network(2)) }
        let kept = store.letters(for: recipient, now: self.start)
        #expect(kept.count == 32)
        #expect(kept.contains(friend.bytes + [3]))
        for _ in 0..<100 {
            _ = post(try .random(using: &generator), to: try .random(using: &generator), 1, self.network(2))
            #expect(store.count <= 200)
        }
        #expect(store.letters(for: recipient, now: end).isEmpty)
        store.expire(now: end)
        #expect(store.count == 0)
    }
}
