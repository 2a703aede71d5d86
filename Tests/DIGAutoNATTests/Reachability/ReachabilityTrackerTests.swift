import DIGIdentity
import DIGMultiformats
import DIGNet
import Testing

@testable import DIGAutoNAT

@Suite("Reachability: whom to ask, and what to believe")
struct ReachabilityTrackerTests {
    private let start = ContinuousClock.now
    private static let v2: [ProtocolID] = [AutoNAT.dialRequestProtocolID, AutoNAT.dialBackProtocolID]
    private static let v1: [ProtocolID] = [AutoNAT.protocolID]
    private let peers: [PeerID]
    private let external: Multiaddr
    private let listening: Multiaddr

    init() throws {
        self.peers = try (0..<8).map { _ in try KeyPair.generate().peerID }.sorted()
        self.external = try Multiaddr("/ip4/9.9.9.9/tcp/5001")
        self.listening = try Multiaddr("/ip4/192.168.1.2/tcp/4001")
    }

    private func server(_ number: Int) throws -> Multiaddr { try Multiaddr("/ip4/8.8.0.\(number)/tcp/4001") }

    private func make(
        servers: Int, speaking protocols: [ProtocolID] = v2, basis: ExternalAddress.Basis = .observed,
        _ configure: (inout ReachabilityConfiguration) -> Void = { _ in }
    ) throws -> ReachabilityTracker {
        var configuration = ReachabilityConfiguration()
        configure(&configuration)
        var tracker = ReachabilityTracker(configuration: configuration)
        for number in 0..<servers { tracker.serverAvailable(self.peers[number], address: try self.server(number), protocols: protocols, now: self.start) }
        tracker.candidatesChanged(
            [ExternalAddress(address: self.external, listenAddress: self.listening, basis: basis)], listening: [self.listening], now: self.start)
        return tracker
    }

    /// Asks until nothing is to be asked before `end`.
    ///
    /// - Returns: Who was asked, and when.
    @discardableResult
    private func run(
        _ tracker: inout ReachabilityTracker, from seconds: Int = 0, to end: Int, _ answer: (ReachabilityProbe) -> ReachabilityProbe.Outcome
    ) -> [(PeerID, at: Int)] {
        var asked: [(PeerID, at: Int)] = []
        var now = self.start + .seconds(seconds)
        while asked.count < 1000 {
            if let probe = tracker.poll(now: now) {
                asked.append((probe.server, Int((now - self.start).components.seconds)))
                tracker.finished(probe, answer(probe), now: now)
                continue
            }
            guard let deadline = tracker.deadline(now: now), deadline <= self.start + .seconds(end) else { break }
            guard deadline > now else {
                Issue.record("a deadline that is over")
                break
            }
            now = deadline
        }
        return asked
    }

    private func state(_ tracker: ReachabilityTracker) -> AddressReachability? {
        tracker.snapshot(now: self.start, tcpMapping: .init(behavior: .unknown, evidence: [])).addresses.first?.state
    }

    private func poll(_ tracker: inout ReachabilityTracker, _ now: ContinuousClock.Instant) throws -> ReachabilityProbe {
        let probe = tracker.poll(now: now)
        return try #require(probe)
    }

    private var yes: (ReachabilityProbe) -> ReachabilityProbe.Outcome { { .reachable($0.targets[0].address, from: nil) } }
    private var no: (ReachabilityProbe) -> ReachabilityProbe.Outcome { { .unreachable([$0.targets[0].address]) } }

    @Test("Three servers that get through make an address reachable, within seconds; then it is asked about every 15 to 60 minutes")
    func reachable() throws {
        var tracker = try self.make(servers: 5)
        let asked = self.run(&tracker, to: 5 * 3600, self.yes)
        #expect(asked.map(\.at).prefix(6) == [0, 5, 10, 910, 2710, 6310])
        #expect(Set(asked.prefix(5).map(\.0)).count == 5, "a new opinion before an old one again")
        #expect(self.state(tracker) == .reachable(since: self.start + .seconds(10)))
        #expect(tracker.overall == .public)
    }

    @Test("Three servers that don't get through make it unreachable, and the node private")
    func unreachable() throws {
        var tracker = try self.make(servers: 4)
        self.run(&tracker, to: 9, self.no)
        #expect(self.state(tracker) == .unknown && tracker.overall == .unknown)
        self.run(&tracker, from: 9, to: 10, self.no)
        #expect(self.state(tracker) == .unreachable(since: self.start + .seconds(10)))
        #expect(tracker.overall == .private)
    }

    @Test("Two servers and two addresses: each server is asked about both, not the same one about the same address again and again")
    func everyServerAboutEveryAddress() throws {
        var tracker = try self.make(servers: 2)
        let other = try Multiaddr("/ip6/2600::1/tcp/5001")
        let candidates = [
            ExternalAddress(address: self.external, listenAddress: self.listening, basis: .listening),
            ExternalAddress(address: other, listenAddress: try Multiaddr("/ip6/2600::1/tcp/5001"), basis: .listening),
        ]
        tracker.candidatesChanged(candidates, listening: [self.listening, other], now: self.start)
        self.run(&tracker, to: 30, self.yes)
        let addresses = tracker.snapshot(now: self.start, tcpMapping: .init(behavior: .unknown, evidence: [])).addresses
        #expect(addresses.map(\.votes.count) == [2, 2])
        #expect(addresses.map(\.state.isReachable) == [true, true])
        #expect(tracker.overall == .public)
    }

    @Test("Where every test takes its time in silence, two servers are heard about two addresses within a minute")
    func silence() throws {
        var tracker = try self.make(servers: 2)
        tracker.candidatesChanged(
            [
                ExternalAddress(address: try Multiaddr("/ip6/2a00::5/tcp/4001"), listenAddress: self.listening, basis: .listening),
                ExternalAddress(address: self.external, listenAddress: self.listening, basis: .observed),
            ], listening: [self.listening], now: self.start)
        var now = self.start
        while now < self.start + .seconds(60) {
            if let probe = tracker.poll(now: now) {
                now += .seconds(10)
                tracker.finished(probe, self.no(probe), now: now)
            } else {
                now += .seconds(1)
            }
        }
        #expect(tracker.overall == .private)
    }

    @Test("A decision stands until as many say the opposite; doubt makes it ask at once")
    func hysteresis() throws {
        var tracker = try self.make(servers: 8)
        self.run(&tracker, to: 10, self.yes)
        let asked = self.run(&tracker, from: 11, to: 909, self.no)
        #expect(asked.isEmpty)
        let doubts = self.run(&tracker, from: 910, to: 923, self.no)
        #expect(doubts.map(\.at) == [910, 915, 920])
        #expect(self.state(tracker)?.isReachable == true, "three against three")
        self.run(&tracker, from: 923, to: 1200, self.no)
        #expect(self.state(tracker)?.isUnreachable == true)
    }

    @Test("With two servers in the world, both must agree; with one, it decides")
    func fewServers() throws {
        var tracker = try self.make(servers: 2)
        self.run(&tracker, to: 4, self.yes)
        #expect(self.state(tracker) == .unknown)
        self.run(&tracker, from: 4, to: 6, self.yes)
        #expect(self.state(tracker)?.isReachable == true)

        tracker = try self.make(servers: 1)
        self.run(&tracker, to: 0, self.yes)
        #expect(self.state(tracker)?.isReachable == true)

        tracker = try self.make(servers: 1) { $0.acceptsFewerServers = false }
        let asked = self.run(&tracker, to: 1000, self.yes)
        #expect(self.state(tracker) == .unknown)
        #expect(asked.map(\.at) == [0, 300, 600, 900])
    }

    @Test("A server that comes later is asked at once where there is doubt, and raises what is needed")
    func latecomer() throws {
        var tracker = try self.make(servers: 1)
        self.run(&tracker, to: 0, self.no)
        #expect(self.state(tracker)?.isUnreachable == true)
        tracker.serverAvailable(self.peers[1], address: try self.server(1), protocols: Self.v2, now: self.start + .seconds(20))
        let asked = self.run(&tracker, from: 20, to: 30, self.yes)
        #expect(asked.map(\.0) == [self.peers[1]])
    }

    @Test("Servers of one network have one voice")
    func sybils() throws {
        var tracker = try self.make(servers: 0)
        for number in 0..<6 {
            tracker.serverAvailable(self.peers[number], address: try Multiaddr("/ip4/8.8.0.1/tcp/\(number + 1)"), protocols: Self.v2, now: self.start)
        }
        tracker.serverAvailable(self.peers[6], address: try self.server(6), protocols: Self.v2, now: self.start)
        self.run(&tracker, to: 100) { $0.server == self.peers[6] ? .reachable(self.external, from: nil) : .unreachable([self.external]) }
        let address = try #require(tracker.snapshot(now: self.start, tcpMapping: .init(behavior: .unknown, evidence: [])).addresses.first)
        #expect(address.votes.count == 2 && address.confidence == 0 && address.state == .unknown)
    }

    @Test("A server that is not out there is not asked", arguments: ["/ip4/192.168.1.9/tcp/1", "/ip4/127.0.0.1/tcp/1", "/ip4/8.8.8.8/tcp/1/p2p-circuit", "/memory/1"])
    func privateServer(_ address: String) throws {
        var tracker = try self.make(servers: 0)
        tracker.serverAvailable(self.peers[0], address: try Multiaddr(address), protocols: Self.v2, now: self.start)
        let probe = tracker.poll(now: self.start)
        #expect(probe == nil && tracker.deadline(now: self.start) == nil)
    }

    @Test("Version 1 is asked only while nobody answers version 2, and needs three whatever happens")
    func v1() throws {
        var tracker = try self.make(servers: 2, speaking: Self.v1)
        self.run(&tracker, to: 1000, self.yes)
        #expect(self.state(tracker) == .unknown, "two words prove nothing")
        tracker.serverAvailable(self.peers[2], address: try self.server(2), protocols: Self.v1, now: self.start + .seconds(1000))
        let third = try self.poll(&tracker, self.start + .seconds(1000))
        #expect(third.version == .v1 && third.server == self.peers[2])
        tracker.finished(third, self.yes(third), now: self.start + .seconds(1000))
        #expect(self.state(tracker)?.isReachable == true)

        // A proof outweighs words.
        tracker.serverAvailable(self.peers[3], address: try self.server(3), protocols: Self.v2 + Self.v1, now: self.start + .seconds(1001))
        tracker.networkChanged(now: self.start + .seconds(1002))
        let probe = try self.poll(&tracker, self.start + .seconds(1002))
        #expect(probe.version == .v2 && probe.server == self.peers[3])
    }

    @Test("A server without an answer is left alone, longer each time; the others are asked; version 1 when all of version 2 fail")
    func backoff() throws {
        var tracker = try self.make(servers: 1)
        let asked = self.run(&tracker, to: 8000) { _ in .failed }
        #expect(asked.map(\.at) == [0, 15, 45, 105, 225, 465, 945, 1905, 3705, 5505, 7305])

        tracker = try self.make(servers: 3)
        self.run(&tracker, to: 14) { $0.server == self.peers[0] ? .failed : .reachable(self.external, from: nil) }
        #expect(self.state(tracker) == .unknown, "the third may yet answer")
        self.run(&tracker, from: 14, to: 100) { _ in .reachable(self.external, from: nil) }
        #expect(self.state(tracker)?.isReachable == true)

        tracker = try self.make(servers: 1)
        tracker.serverAvailable(self.peers[1], address: try self.server(1), protocols: Self.v1, now: self.start)
        let order = self.run(&tracker, to: 50) { _ in .failed }
        #expect(order.map(\.0) == [self.peers[0], self.peers[0], self.peers[0], self.peers[1]])
    }

    @Test("A server that refuses an address is not asked again about it for a while; nothing follows from it")
    func refusals() throws {
        var tracker = try self.make(servers: 2)
        let asked = self.run(&tracker, to: 100) { .refused($0.targets.map(\.address)) }
        #expect(asked.map(\.at) == [0, 5])
        #expect(self.state(tracker) == .unknown && tracker.overall == .unknown)
        let again = self.run(&tracker, from: 101, to: 320) { .refused($0.targets.map(\.address)) }
        #expect(again.map(\.at) == [310, 315])
    }

    @Test("Another network: nothing is known, and all is asked at once; an answer from before is not taken")
    func networkChanged() throws {
        var tracker = try self.make(servers: 3)
        self.run(&tracker, to: 20, self.yes)
        let late = try self.poll(&tracker, self.start + .seconds(910))
        tracker.networkChanged(now: self.start + .seconds(911))
        #expect(self.state(tracker) == .unknown && tracker.overall == .unknown)
        tracker.finished(late, .reachable(self.external, from: nil), now: self.start + .seconds(912))
        #expect(self.state(tracker) == .unknown)
        let next = tracker.poll(now: self.start + .seconds(912))
        #expect(next != nil)
    }

    @Test("A new address is asked about at once; what is known of the others stays")
    func newAddress() throws {
        var tracker = try self.make(servers: 3)
        self.run(&tracker, to: 20, self.yes)
        let mapped = ExternalAddress(address: try Multiaddr("/ip4/9.9.9.9/tcp/4001"), listenAddress: self.listening, basis: .mapped)
        let old = ExternalAddress(address: self.external, listenAddress: self.listening, basis: .observed)
        tracker.candidatesChanged([old, mapped], listening: [self.listening], now: self.start + .seconds(30))
        let probe = try self.poll(&tracker, self.start + .seconds(30))
        #expect(probe.targets.map(\.address) == [mapped.address])
        let snapshot = tracker.snapshot(now: self.start, tcpMapping: .init(behavior: .unknown, evidence: []))
        #expect(snapshot.addresses.map(\.external) == [mapped, old], "in order of promise")
        #expect(snapshot.reachableAddresses == [self.external])
        tracker.candidatesChanged([mapped], listening: [self.listening], now: self.start + .seconds(31))
        #expect(tracker.snapshot(now: self.start, tcpMapping: .init(behavior: .unknown, evidence: [])).addresses.count == 1)
    }

    @Test("Addresses that are due go into one question; of version 1 only those with one IP address; guesses are not paid for")
    func targets() throws {
        let candidates = try (1...20).map {
            ExternalAddress(address: try Multiaddr("/ip4/9.9.9.\($0 % 2)/tcp/\($0)"), listenAddress: self.listening, basis: $0 == 1 ? .mapped : .guessed)
        }
        var tracker = try self.make(servers: 1)
        tracker.candidatesChanged(candidates, listening: [self.listening], now: self.start)
        let probe = try self.poll(&tracker, self.start)
        #expect(probe.targets.count == 8)
        #expect(probe.targets.map(\.isWorthDialData) == [true] + Array(repeating: false, count: 7))
        let second = tracker.poll(now: self.start)
        #expect(second == nil, "one at a time")
        #expect(tracker.snapshot(now: self.start, tcpMapping: .init(behavior: .unknown, evidence: [])).addresses.count == 16)

        tracker = try self.make(servers: 1, speaking: Self.v1)
        tracker.candidatesChanged(candidates, listening: [self.listening], now: self.start)
        let one = try self.poll(&tracker, self.start)
        #expect(Set(one.targets.map { $0.address.components.first }).count == 1)
    }

    @Test("A target that the server passed over is refused by it, and asked of others; the rest is due still")
    func passedOver() throws {
        var tracker = try self.make(servers: 2)
        let candidates = try (1...3).map {
            ExternalAddress(address: try Multiaddr("/ip4/9.9.9.9/tcp/\($0)"), listenAddress: self.listening, basis: .observed)
        }
        tracker.candidatesChanged(candidates, listening: [self.listening], now: self.start)
        let first = try self.poll(&tracker, self.start)
        #expect(first.targets.map(\.address) == candidates.map(\.address))
        tracker.finished(first, .unreachable([candidates[1].address]), now: self.start)
        let second = try self.poll(&tracker, self.start)
        #expect(second.server != first.server && second.targets.map(\.address) == [candidates[2].address])
        tracker.finished(second, self.yes(second), now: self.start)
        let third = try self.poll(&tracker, self.start + .seconds(6))
        #expect(third.server == second.server && third.targets.first?.address == candidates[0].address, "not asked of the one that passed it over")
    }

    // MARK: NATs that let in whom they know

    @Test("Servers that were dialed from the listening port prove an address reachable, not the node public")
    func addressDependentFiltering() throws {
        var tracker = try self.make(servers: 3)
        for number in 0..<3 {
            tracker.connectionOpened(role: .dialer, local: self.listening, remote: try self.server(number), now: self.start)
        }
        self.run(&tracker, to: 20) { .reachable($0.targets[0].address, from: $0.serverAddress) }
        #expect(self.state(tracker)?.isReachable == true)
        #expect(tracker.overall == .unknown)

        // Somebody nobody has heard of gets in: now it is.
        tracker.connectionOpened(role: .listener, local: self.listening, remote: try Multiaddr("/ip4/8.8.4.4/tcp/999"), now: self.start)
        #expect(tracker.overall == .public)
    }

    @Test("Where those get through whom this node has dialed and a stranger does not, the node is private: the NAT filters by address")
    func closedToStrangers() throws {
        var tracker = try self.make(servers: 2)
        tracker.connectionOpened(role: .dialer, local: self.listening, remote: try self.server(0), now: self.start)
        tracker.connectionOpened(role: .dialer, local: try Multiaddr("/ip4/192.168.1.2/tcp/49152"), remote: try self.server(1), now: self.start)
        var other = tracker
        self.run(&tracker, to: 60) { $0.server == self.peers[0] ? self.yes($0) : self.no($0) }
        #expect(tracker.overall == .private)
        let votes = tracker.snapshot(now: self.start, tcpMapping: .init(behavior: .unknown, evidence: [])).addresses.first?.votes ?? []
        #expect(votes.count == 2)
        #expect(votes.allSatisfy { $0.isStranger == ($0.server == self.peers[1]) && $0.isReachable != $0.isStranger })
        // The other way round somebody's line is bad, and nothing is proven.
        self.run(&other, to: 60) { $0.server == self.peers[0] ? self.no($0) : self.yes($0) }
        #expect(other.overall == .unknown)
        self.run(&other, from: 300, to: 700, self.yes)
        #expect(other.overall == .public)
    }

    @Test("Whom this node punched at, dialed before, or has at home is no stranger")
    func noStrangers() throws {
        var tracker = try self.make(servers: 1)
        tracker.connectionOpened(role: .dialer, local: self.listening, remote: try self.server(0), now: self.start)
        self.run(&tracker, to: 0) { .reachable($0.targets[0].address, from: $0.serverAddress) }
        tracker.contacting(try Multiaddr("/ip4/8.8.4.4/tcp/999"), now: self.start)
        for remote in ["/ip4/8.8.4.4/tcp/5", "/ip4/192.168.1.7/tcp/5", "/ip4/8.8.0.0/tcp/6"] {
            tracker.connectionOpened(role: .listener, local: self.listening, remote: try Multiaddr(remote), now: self.start)
        }
        tracker.connectionOpened(role: .listener, local: try Multiaddr("/ip4/192.168.1.2/tcp/9"), remote: try Multiaddr("/ip4/8.8.3.3/tcp/5"), now: self.start)
        #expect(tracker.overall == .unknown)
    }

    @Test("A dial back out of this node's own network proves nothing about strangers", arguments: ["/ip4/192.168.1.7/tcp/5", "/ip4/100.64.0.1/tcp/5", "/ip6/fd00::1/tcp/5"])
    func fromHome(_ from: String) throws {
        let from = try Multiaddr(from)
        var tracker = try self.make(servers: 3)
        self.run(&tracker, to: 20) { .reachable($0.targets[0].address, from: from) }
        #expect(self.state(tracker)?.isReachable == true)
        #expect(tracker.overall == .unknown)
    }

    @Test("A port that a router forwards, and an address without a NAT, are open to all", arguments: [ExternalAddress.Basis.mapped, .listening])
    func mapped(_ basis: ExternalAddress.Basis) throws {
        var tracker = try self.make(servers: 1, basis: basis)
        tracker.connectionOpened(role: .dialer, local: self.listening, remote: try self.server(0), now: self.start)
        self.run(&tracker, to: 0) { .reachable($0.targets[0].address, from: $0.serverAddress) }
        #expect(tracker.overall == .public)
    }

    @Test("Contacts, servers and votes are bounded")
    func bounded() throws {
        var tracker = try self.make(servers: 1) { $0.maximumContacts = 2; $0.maximumServers = 1 }
        tracker.serverAvailable(self.peers[1], address: try self.server(1), protocols: Self.v2, now: self.start)
        #expect(tracker.snapshot(now: self.start, tcpMapping: .init(behavior: .unknown, evidence: [])).v2Servers == 1)
        for number in 1...3 { tracker.contacting(try Multiaddr("/ip4/8.8.7.\(number)/tcp/1"), now: self.start + .seconds(number)) }
        self.run(&tracker, to: 0) { .reachable($0.targets[0].address, from: try? Multiaddr("/ip4/8.8.7.2/tcp/1")) }
        #expect(tracker.overall == .unknown)
        tracker.connectionOpened(role: .listener, local: self.listening, remote: try Multiaddr("/ip4/8.8.7.1/tcp/1"), now: self.start)
        #expect(tracker.overall == .public, "the oldest contact is forgotten")
    }
}
