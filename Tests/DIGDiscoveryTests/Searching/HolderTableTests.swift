import DIGIdentity
import DIGMultiformats
import Testing

@testable import DIGDiscovery

@Suite("Holders of a search")
struct HolderTableTests {
    private func table(holders: Int = 1_000, addresses: Int = 16, _ sources: [DiscoverySource] = [.dht, .pex, .local, .gun]) -> HolderTable {
        HolderTable(limits: .init(holders: holders, addresses: addresses), sources: sources, ourselves: Fixture.ourselves)
    }

    @Test("a peer found by four mechanisms is one holder with the union of the addresses and all sources")
    func merge() throws {
        var table = self.table()
        let peer = Fixture.peer(1)
        #expect(table.add(FoundHolder(peer, addresses: [Fixture.address(1), Fixture.address(2)]), from: .dht, after: .milliseconds(5)) == .new)
        #expect(table.add(FoundHolder(peer, addresses: [Fixture.address(2), Fixture.address(3)]), from: .gun, after: .milliseconds(6)) == .changed)
        #expect(table.add(FoundHolder(peer, addresses: [Fixture.address(3)], isClaimed: false), from: .local, after: .milliseconds(7)) == .changed)
        #expect(table.add(FoundHolder(peer, addresses: [Fixture.address(1)]), from: .pex, after: .milliseconds(8)) == .changed)
        #expect(table.add(FoundHolder(peer, addresses: [Fixture.address(1)]), from: .pex, after: .milliseconds(9)) == .unchanged)
        #expect(table.count == 1 && table.claimedCount == 1)
        let holder = try #require(table[peer])
        #expect(holder.sources == [.dht, .gun, .local, .pex])
        #expect(holder.addresses == [Fixture.address(1), Fixture.address(2), Fixture.address(3)])
        #expect(holder.addresses(from: .local) == [Fixture.address(3)])
        #expect(holder.knownAddresses[0].sources == [.dht, .pex])
        #expect(holder.firstSeen == .milliseconds(5) && holder.isClaimed)
    }

    @Test("a peer that is merely near by becomes a holder when somebody says that it has the content")
    func claim() {
        var table = self.table()
        let peer = Fixture.peer(1)
        #expect(table.add(FoundHolder(peer, addresses: [], isClaimed: false), from: .local, after: .zero) == .new)
        #expect(table.claimedCount == 0 && table[peer]?.isClaimed == false)
        #expect(table.add(FoundHolder(peer, addresses: []), from: .dht, after: .zero) == .changed)
        #expect(table.add(FoundHolder(peer, addresses: [], isClaimed: false), from: .local, after: .zero) == .unchanged)
        #expect(table.claimedCount == 1 && table[peer]?.isClaimed == true)
    }

    @Test("this node is nobody to find")
    func ourselves() {
        var table = self.table()
        #expect(table.add(FoundHolder(Fixture.ourselves, addresses: [Fixture.address(1)]), from: .dht, after: .zero) == .unchanged)
        #expect(table.count == 0 && table[Fixture.ourselves] == nil)
    }

    @Test("addresses lose the peer at their end, and those of another peer are left out")
    func peerInAddress() {
        var table = self.table()
        let peer = Fixture.peer(1)
        let addresses = [Fixture.address(1).withPeerID(peer), Fixture.address(1), Fixture.address(2).withPeerID(Fixture.peer(2)), Multiaddr(components: [])]
        _ = table.add(FoundHolder(peer, addresses: addresses), from: .dht, after: .zero)
        #expect(table[peer]?.addresses == [Fixture.address(1)])
    }

    @Test("a mechanism that invents holders leaves half of the places to the others")
    func crowd() {
        var table = self.table(holders: 80)
        for number in 1...500 { _ = table.add(FoundHolder(Fixture.peer(UInt64(number)), addresses: []), from: .dht, after: .zero) }
        // 80 places, 10 of which are kept for each of the four.
        #expect(table.count == 50)
        #expect(table.add(FoundHolder(Fixture.peer(501), addresses: []), from: .dht, after: .zero) == .refused)
        for (base, source) in [(1_000, DiscoverySource.pex), (2_000, .local), (3_000, .gun)] {
            for number in 0..<10 {
                #expect(table.add(FoundHolder(Fixture.peer(UInt64(base + number)), addresses: []), from: source, after: .zero) == .new)
            }
        }
        #expect(table.count == 80)
        // What is known can still get better.
        #expect(table.add(FoundHolder(Fixture.peer(1), addresses: [Fixture.address(1)]), from: .gun, after: .zero) == .changed)
    }

    @Test("alone, a mechanism may take all places")
    func alone() {
        var table = self.table(holders: 80, [.gun])
        for number in 1...500 { _ = table.add(FoundHolder(Fixture.peer(UInt64(number)), addresses: []), from: .gun, after: .zero) }
        #expect(table.count == 80)
    }

    @Test("a mechanism that invents addresses leaves half of them to another")
    func addressCrowd() throws {
        var table = self.table(addresses: 8)
        let peer = Fixture.peer(1)
        for number in 0..<100 { _ = table.add(FoundHolder(peer, addresses: [Fixture.address(number)]), from: .pex, after: .zero) }
        #expect(try #require(table[peer]).addresses.count == 8)
        for number in 200..<300 { _ = table.add(FoundHolder(peer, addresses: [Fixture.address(number)]), from: .dht, after: .zero) }
        let holder = try #require(table[peer])
        #expect(holder.addresses.count == 8 && holder.addresses(from: .pex).count == 4 && holder.addresses(from: .dht).count == 4)
    }

    @Test("addresses that the holder has signed come first and take the place of hearsay")
    func signed() throws {
        var table = self.table(addresses: 4)
        let peer = Fixture.peer(1)
        _ = table.add(FoundHolder(peer, addresses: (0..<4).map { Fixture.address($0) }), from: .publicDHT, after: .zero)
        _ = table.add(FoundHolder(peer, addresses: [Fixture.address(10), Fixture.address(3)], isSigned: true), from: .dht, after: .zero)
        #expect(table[peer]?.addresses == [Fixture.address(10), Fixture.address(3), Fixture.address(0), Fixture.address(1)]
            || table[peer]?.addresses == [Fixture.address(10), Fixture.address(3), Fixture.address(0), Fixture.address(2)])
        for number in 20..<30 { _ = table.add(FoundHolder(peer, addresses: [Fixture.address(number)], isSigned: true), from: .dht, after: .zero) }
        let holder = try #require(table[peer])
        #expect(holder.knownAddresses.count == 4 && holder.knownAddresses.allSatisfy { $0.isSigned })
        // Hearsay does not get back in.
        #expect(table.add(FoundHolder(peer, addresses: [Fixture.address(99)]), from: .pex, after: .zero) == .changed)
        #expect(table[peer]?.addresses == holder.addresses)
    }
}
