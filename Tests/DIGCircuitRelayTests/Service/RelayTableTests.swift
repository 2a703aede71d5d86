import DIGIdentity
import DIGMultiformats
import Testing

@testable import DIGCircuitRelay

@Suite("reservations and circuits of a relay")
struct RelayTableTests {
    private let start = ContinuousClock.now
    private let peers: [PeerID]

    init() throws {
        self.peers = try (0..<8).map { _ in try KeyPair.generate().peerID }
    }

    private func origin(_ text: String) throws -> NetworkOrigin? { NetworkOrigin(try Multiaddr(text)) }

    @Test("one reservation for each peer, so many in all; an ended one makes room")
    func reservations() throws {
        var configuration = RelayServiceConfiguration()
        configuration.maximumReservations = 2
        var table = RelayTable(configuration)
        #expect(try table.reserve(self.peers[0], from: nil, now: self.start) == self.start + .seconds(3600))
        _ = try table.reserve(self.peers[1], from: nil, now: self.start + .seconds(10))
        #expect(throws: RelayRefusal.tooManyReservations) { try table.reserve(self.peers[2], from: nil, now: self.start + .seconds(10)) }
        // A refresh is no new one.
        #expect(try table.reserve(self.peers[1], from: nil, now: self.start + .seconds(20)) == self.start + .seconds(3620))
        #expect(table.reservationCount == 2)
        #expect(table.hasReservation(self.peers[0], now: self.start + .seconds(3599)))
        #expect(!table.hasReservation(self.peers[0], now: self.start + .seconds(3600)))
        _ = try table.reserve(self.peers[2], from: nil, now: self.start + .seconds(3600))
        #expect(!table.hasReservation(self.peers[0], now: self.start + .seconds(3600)))
        // Whoever made room is told of as well, once.
        #expect(Set(table.expire(now: self.start + .seconds(10_000))) == Set(self.peers[0...2]))
        #expect(table.expire(now: self.start + .seconds(10_000)).isEmpty)
        #expect(table.reservationCount == 0)
    }

    @Test("so many from one IPv4 address, one IPv6 /64 and one /48; the mapped form is the same address, this machine is exempt")
    func networks() throws {
        var configuration = RelayServiceConfiguration()
        configuration.maximumReservationsPerAddress = 1
        configuration.maximumReservationsPerNetwork = 2
        var table = RelayTable(configuration)
        let full = RelayRefusal.tooManyReservationsFromNetwork
        _ = try table.reserve(self.peers[0], from: self.origin("/ip4/192.0.2.1/tcp/1"), now: self.start)
        #expect(throws: full) { try table.reserve(self.peers[1], from: self.origin("/ip4/192.0.2.1/tcp/2"), now: self.start) }
        #expect(throws: full) { try table.reserve(self.peers[1], from: self.origin("/ip6/::ffff:192.0.2.1/tcp/2"), now: self.start) }
        _ = try table.reserve(self.peers[0], from: self.origin("/ip4/192.0.2.1/tcp/9"), now: self.start)
        _ = try table.reserve(self.peers[1], from: self.origin("/ip6/2001:db8:1:1::1/tcp/1"), now: self.start)
        #expect(throws: full) { try table.reserve(self.peers[2], from: self.origin("/ip6/2001:db8:1:1:ffff::2/tcp/1"), now: self.start) }
        _ = try table.reserve(self.peers[2], from: self.origin("/ip6/2001:db8:1:2::1/tcp/1"), now: self.start)
        #expect(throws: full) { try table.reserve(self.peers[3], from: self.origin("/ip6/2001:db8:1:3::1/tcp/1"), now: self.start) }
        _ = try table.reserve(self.peers[3], from: self.origin("/ip6/2001:db8:2:3::1/tcp/1"), now: self.start)
        // Gone is gone, also from the counts.
        table.remove(self.peers[1])
        _ = try table.reserve(self.peers[4], from: self.origin("/ip6/2001:db8:1:1::1/tcp/1"), now: self.start)
        // A peer that moved counts where it is.
        _ = try table.reserve(self.peers[0], from: self.origin("/ip4/192.0.2.2/tcp/1"), now: self.start)
        _ = try table.reserve(self.peers[5], from: self.origin("/ip4/192.0.2.1/tcp/1"), now: self.start)
        #expect(try self.origin("/ip4/127.0.0.1/tcp/1") == nil)
        #expect(try self.origin("/ip6/::1/tcp/1") == nil)
        #expect(try self.origin("/memory/1") == nil)
    }

    @Test("circuits need a reservation of the target and room at both ends, between them, and in all")
    func circuits() throws {
        var configuration = RelayServiceConfiguration()
        configuration.maximumCircuits = 5
        configuration.maximumCircuitsPerPeer = 3
        configuration.maximumCircuitsPerPair = 2
        var table = RelayTable(configuration)
        let (a, b, c, d) = (self.peers[0], self.peers[1], self.peers[2], self.peers[3])
        #expect(throws: RelayRefusal.noReservation) { try table.open(from: a, to: b, now: self.start) }
        for peer in [a, b, c, d] { _ = try table.reserve(peer, from: nil, now: self.start) }
        #expect(throws: RelayRefusal.targetIsInitiator) { try table.open(from: a, to: a, now: self.start) }
        #expect(throws: RelayRefusal.noReservation) { try table.open(from: a, to: b, now: self.start + .seconds(3600)) }
        let first = try table.open(from: a, to: b, now: self.start)
        _ = try table.open(from: b, to: a, now: self.start)
        #expect(throws: RelayRefusal.tooManyCircuitsOfPeer) { try table.open(from: a, to: b, now: self.start) }
        _ = try table.open(from: a, to: c, now: self.start)
        #expect(throws: RelayRefusal.tooManyCircuitsOfPeer) { try table.open(from: a, to: d, now: self.start) }
        #expect(throws: RelayRefusal.tooManyCircuitsOfPeer) { try table.open(from: d, to: a, now: self.start) }
        table.close(first)
        table.close(first)
        _ = try table.open(from: d, to: a, now: self.start)
        _ = try table.open(from: d, to: b, now: self.start)
        _ = try table.open(from: c, to: b, now: self.start)
        #expect(throws: RelayRefusal.tooManyCircuits) { try table.open(from: c, to: d, now: self.start) }
        #expect(table.circuitCount == 5)
    }

    @Test("many names at one address begin no more circuits than one address may; the others are served")
    func circuitsOfNetworks() throws {
        var configuration = RelayServiceConfiguration()
        configuration.maximumCircuitsPerAddress = 2
        configuration.maximumCircuitsPerNetwork = 3
        var table = RelayTable(configuration)
        let target = self.peers[0]
        _ = try table.reserve(target, from: nil, now: self.start)
        let full = RelayRefusal.tooManyCircuitsFromNetwork
        #expect(full.status == .resourceLimitExceeded)
        func open(_ peer: Int, _ address: String) throws -> RelayTable.CircuitID {
            try table.open(from: self.peers[peer], at: self.origin(address), to: target, now: self.start)
        }
        let first = try open(1, "/ip4/192.0.2.1/tcp/1")
        _ = try open(2, "/ip4/192.0.2.1/tcp/2")
        #expect(throws: full) { try open(3, "/ip4/192.0.2.1/tcp/3") }
        #expect(throws: full) { try open(3, "/ip6/::ffff:192.0.2.1/tcp/3") }
        _ = try open(3, "/ip4/192.0.2.2/tcp/3")
        table.close(first)
        table.close(first)
        _ = try open(4, "/ip4/192.0.2.1/tcp/3")
        for (peer, network) in [(1, "1"), (2, "2"), (3, "3")] { _ = try open(peer, "/ip6/2001:db8:1:\(network)::1/tcp/1") }
        #expect(throws: full) { try open(4, "/ip6/2001:db8:1:4::1/tcp/1") }
        _ = try open(4, "/ip6/2001:db8:2:4::1/tcp/1")
        for _ in 0..<4 { _ = try open(5, "/ip4/127.0.0.1/tcp/1") }
    }

    @Test("requests that wait are bounded for each peer, each address and in all, and forgotten when they are answered")
    func pendingRequests() throws {
        var configuration = RelayServiceConfiguration()
        configuration.maximumPendingRequestsPerPeer = 2
        configuration.maximumPendingRequestsPerAddress = 3
        configuration.maximumPendingRequests = 5
        var pending = PendingRequests(configuration)
        let (here, there) = (try self.origin("/ip4/192.0.2.1/tcp/1"), try self.origin("/ip4/192.0.2.2/tcp/1"))
        func admits(_ peer: Int, _ origin: NetworkOrigin?) -> Bool { pending.admit(self.peers[peer], from: origin) }
        #expect(admits(0, here))
        #expect(admits(0, here))
        #expect(!admits(0, here), "of the peer")
        #expect(admits(1, here))
        #expect(!admits(2, here), "of the address")
        #expect(admits(2, there))
        #expect(admits(3, nil))
        #expect(!admits(4, nil), "in all")
        pending.answered(self.peers[0], from: here)
        #expect(admits(2, here))
        #expect(!admits(4, nil))
    }

    @Test("every refusal has the specification's code")
    func codes() {
        #expect(RelayRefusal.tooManyReservations.status == .reservationRefused)
        #expect(RelayRefusal.relayed.status == .permissionDenied)
        #expect(RelayRefusal.denied.status == .permissionDenied)
        #expect(RelayRefusal.noReservation.status == .noReservation)
        #expect(RelayRefusal.tooManyCircuits.status == .resourceLimitExceeded)
        #expect(RelayRefusal.targetFailed.status == .connectionFailed)
        #expect(RelayRefusal.malformed.status == .malformedMessage)
        #expect(RelayRefusal.unexpected.status == .unexpectedMessage)
        #expect(RelayRefusal.budgetExhausted.status == .resourceLimitExceeded)
        #expect(RelayRefusal.budgetExhausted.reservationStatus == .reservationRefused)
    }
}

@Suite("the bytes of a day and a month")
struct RelayUsageTests {
    @Test("begin with zero at midnight and on the first, and never go back")
    func rollover() {
        // 2024-02-29T23:59:59Z, the day after, and the month of the clock's beginning.
        let leapDay: UInt64 = 1_709_251_199
        var usage = RelayUsage()
        usage.add(10, atUnixSeconds: leapDay - 86_400)
        usage.add(5, atUnixSeconds: leapDay)
        #expect(usage.bytesToday == 5)
        #expect(usage.bytesThisMonth == 15)
        usage.add(1, atUnixSeconds: leapDay + 1)
        #expect(usage.bytesToday == 1)
        #expect(usage.bytesThisMonth == 1)
        usage.add(2, atUnixSeconds: leapDay)
        #expect(usage.bytesToday == 3)
        #expect(usage.bytesThisMonth == 3)
        usage.add(.max, atUnixSeconds: leapDay + 2)
        #expect(usage.bytesToday == .max)
        #expect(RelayUsage.month(ofDay: 0) == 1970 * 12)
        #expect(RelayUsage.month(ofDay: 30) == 1970 * 12)
        #expect(RelayUsage.month(ofDay: 31) == 1970 * 12 + 1)
        // 2026-11-21 is day 20778.
        #expect(RelayUsage.month(ofDay: 20_778) == 2026 * 12 + 10)
        // 2000-02-29 and 2000-03-01.
        #expect(RelayUsage.month(ofDay: 11_016) == 2000 * 12 + 1)
        #expect(RelayUsage.month(ofDay: 11_017) == 2000 * 12 + 2)
    }

    @Test("are exhausted at the configured number")
    func exhausted() {
        var configuration = RelayServiceConfiguration()
        (configuration.bytesPerDay, configuration.bytesPerMonth) = (100, nil)
        #expect(!RelayUsage(bytesToday: 99).isExhausted(configuration))
        #expect(RelayUsage(bytesToday: 100).isExhausted(configuration))
        (configuration.bytesPerDay, configuration.bytesPerMonth) = (nil, 100)
        #expect(RelayUsage(bytesThisMonth: 100).isExhausted(configuration))
        configuration.bytesPerMonth = nil
        #expect(!RelayUsage(bytesToday: .max, bytesThisMonth: .max).isExhausted(configuration))
    }
}
